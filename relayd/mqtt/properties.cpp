#include "relayd/mqtt/properties.h"

#include "relayd/mqtt/topic.h"

namespace mqtt {
namespace {

enum class Type : std::uint8_t {
  flag,
  u16,
  u16_not_0,
  u32,
  u32_not_0,
  variable_int_not_0,
  utf8,
  topic_name,
  binary,
  pair
};

struct Rule {
  PropertyId id;
  Type type;
  unsigned places;
};

constexpr unsigned at(PropertyPlace place) { return static_cast<unsigned>(place); }
constexpr unsigned kConnect = at(PropertyPlace::connect);
constexpr unsigned kWill = at(PropertyPlace::will);
constexpr unsigned kPublish = at(PropertyPlace::publish);
constexpr unsigned kAcknowledgement = at(PropertyPlace::acknowledgement);
constexpr unsigned kSubscribe = at(PropertyPlace::subscribe);
constexpr unsigned kDisconnect = at(PropertyPlace::disconnect);
constexpr unsigned kAnywhere = 0xFF;

// MQTT section 2.2.2.2 table 2-4, without the properties that only a server sends.
constexpr Rule kRules[] = {
    {PropertyId::payload_format_indicator, Type::flag, kPublish | kWill},
    {PropertyId::message_expiry_interval, Type::u32, kPublish | kWill},
    {PropertyId::content_type, Type::utf8, kPublish | kWill},
    {PropertyId::response_topic, Type::topic_name, kPublish | kWill},
    {PropertyId::correlation_data, Type::binary, kPublish | kWill},
    {PropertyId::subscription_identifier, Type::variable_int_not_0, kPublish | kSubscribe},
    {PropertyId::session_expiry_interval, Type::u32, kConnect | kDisconnect},
    {PropertyId::authentication_method, Type::utf8, kConnect},
    {PropertyId::authentication_data, Type::binary, kConnect},
    {PropertyId::request_problem_information, Type::flag, kConnect},
    {PropertyId::will_delay_interval, Type::u32, kWill},
    {PropertyId::request_response_information, Type::flag, kConnect},
    {PropertyId::reason_string, Type::utf8, kAcknowledgement | kDisconnect},
    {PropertyId::receive_maximum, Type::u16_not_0, kConnect},
    {PropertyId::topic_alias_maximum, Type::u16, kConnect},
    {PropertyId::topic_alias, Type::u16, kPublish},
    {PropertyId::user_property, Type::pair, kAnywhere},
    {PropertyId::maximum_packet_size, Type::u32_not_0, kConnect},
};

const Rule* rule_for(std::uint32_t id, PropertyPlace place) {
  for (const Rule& rule : kRules) {
    if (static_cast<std::uint32_t>(rule.id) == id && (rule.places & at(place)) != 0) return &rule;
  }
  return nullptr;
}

constexpr std::string_view kNotUtf8 = "a property is not well-formed UTF-8 (MQTT section 1.5.4)";
constexpr std::string_view kIsZero = "a property that must not be 0 is 0 (MQTT section 3.1.2.11, 3.8.2.1.2)";

void refuse_zero(Reader& from, std::uint32_t value) {
  if (from.ok() && value == 0) from.protocol_error(kIsZero);
}

void read_value(Reader& from, Type type, Property& out) {
  switch (type) {
    case Type::flag:
      out.number = from.u8();
      if (out.number > 1)
        from.protocol_error("a property that is 0 or 1 has another value (MQTT section 3.1.2.11, 3.3.2.3.2)");
      break;
    case Type::u16: out.number = from.u16(); break;
    case Type::u32: out.number = from.u32(); break;
    case Type::u16_not_0: refuse_zero(from, out.number = from.u16()); break;
    case Type::u32_not_0: refuse_zero(from, out.number = from.u32()); break;
    case Type::variable_int_not_0: refuse_zero(from, out.number = from.variable_int()); break;
    case Type::utf8: out.text = from.utf8(kNotUtf8); break;
    case Type::binary: out.text = from.binary(); break;
    case Type::topic_name:
      out.text = from.utf8(kNotUtf8);
      if (from.ok() && !is_topic_name(out.text))
        from.protocol_error("the response topic is empty or has a wildcard (MQTT section 3.3.2.3.5)");
      break;
    case Type::pair:
      out.text = from.utf8(kNotUtf8);
      from.utf8(kNotUtf8);
      break;
  }
}

}  // namespace

PropertyReader::PropertyReader(Reader& packet, PropertyPlace place)
    : packet_(packet), rest_(packet.take(packet.variable_int())), place_(place) {}

bool PropertyReader::next(Property& out) {
  if (!packet_.ok() || rest_.left() == 0) return false;
  out = Property{};
  const std::uint32_t id = rest_.variable_int();
  if (const Rule* rule = rule_for(id, place_)) {
    out.id = rule->id;
    const std::uint64_t bit = std::uint64_t{1} << id;
    if ((seen_ & bit) != 0 && rule->id != PropertyId::user_property)
      rest_.protocol_error("a property occurs twice (MQTT section 2.2.2.2, 3.1.2.11)");
    seen_ |= bit;
    read_value(rest_, rule->type, out);
  } else {
    rest_.malformed("a property that this packet may not have (MQTT section 2.2.2.2)");
  }
  packet_.fail(rest_.flaw());
  return packet_.ok();
}

}  // namespace mqtt
