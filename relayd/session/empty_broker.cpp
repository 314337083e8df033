#include "relayd/session/empty_broker.h"

#include <algorithm>

#include "relayd/mqtt/properties.h"
#include "relayd/mqtt/reader.h"

namespace relayd {

using mqtt::Bytes;
using mqtt::DisconnectReason;
using mqtt::PacketType;

namespace {

constexpr std::uint8_t kSuccess = 0x00;
constexpr std::uint8_t kNoMatchingSubscribers = 0x10;
constexpr std::uint8_t kPacketIdNotFound = 0x92;

void add(std::string& out, std::uint32_t byte) { out.push_back(static_cast<char>(byte & 0xFF)); }

void add_u16(std::string& out, std::uint32_t value) {
  add(out, value >> 8);
  add(out, value);
}

void add_u32(std::string& out, std::uint32_t value) {
  add_u16(out, value >> 16);
  add_u16(out, value);
}

void add_id(std::string& out, mqtt::PropertyId id) { add(out, static_cast<std::uint32_t>(id)); }

std::uint8_t first_byte(PacketType type) {
  const unsigned flags = type == PacketType::pubrel ? 2 : 0;  // MQTT section 3.6.1
  return static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | flags);
}

Bytes bytes_of(const std::string& text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

}  // namespace

AssignedClientId assigned_client_id(std::span<const std::uint8_t, 16> random) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  AssignedClientId id{'a', 'u', 't', 'o', '-'};
  std::size_t at = 5;
  for (const std::uint8_t byte : random) {
    id[at++] = kDigits[byte >> 4];
    id[at++] = kDigits[byte & 15];
  }
  return id;
}

EmptyBroker::EmptyBroker(const mqtt::Connect& connect, std::uint32_t max_packet_size)
    : version_(connect.version),
      clean_start_(connect.clean_start),
      empty_client_id_(connect.client_id.empty()),
      wants_authentication_(connect.has_authentication_method),
      asked_for_expiry_(connect.session_expiry_interval != 0),
      device_maximum_(connect.maximum_packet_size),
      max_packet_size_(std::min(max_packet_size, mqtt::kMaxPacketSize)) {}

void EmptyBroker::refuse(mqtt::Refusal refusal, std::string_view why) {
  outcome_.kind = Outcome::Kind::refused;
  outcome_.refusal = refusal;
  outcome_.why = why;
}

void EmptyBroker::fail(DisconnectReason reason, std::string_view why) {
  outcome_.kind = Outcome::Kind::failed;
  outcome_.reason = reason;
  outcome_.why = why;
}

void EmptyBroker::fail(const mqtt::Flaw& flaw) {
  const bool protocol_error = flaw.kind == mqtt::Flaw::Kind::protocol_error;
  fail(protocol_error ? DisconnectReason::protocol_error : DisconnectReason::malformed, flaw.why);
}

EmptyBroker::Outcome EmptyBroker::accept(std::span<const std::uint8_t, 16> random, std::string& out) {
  if (!v5() && empty_client_id_ && (version_ == mqtt::Version::v3_1 || !clean_start_)) {
    refuse(mqtt::Refusal::client_id_not_valid, "an empty client id without clean session (MQTT 3.1.1 section 3.1.3.1)");
    return outcome_;
  }
  if (wants_authentication_) {
    refuse(mqtt::Refusal::bad_authentication_method, "enhanced authentication is not supported (MQTT section 4.12)");
    return outcome_;
  }
  std::string properties;  // MQTT section 3.2.2.3; an absent property has its default
  if (v5() && asked_for_expiry_) {
    add_id(properties, mqtt::PropertyId::session_expiry_interval);
    add_u32(properties, 0);
  }
  if (v5() && max_packet_size_ < mqtt::kMaxPacketSize) {
    add_id(properties, mqtt::PropertyId::maximum_packet_size);
    add_u32(properties, max_packet_size_);
  }
  if (v5() && empty_client_id_) {  // MQTT-3.2.2-16
    const AssignedClientId id = assigned_client_id(random);
    add_id(properties, mqtt::PropertyId::assigned_client_identifier);
    add_u16(properties, static_cast<std::uint32_t>(id.size()));
    properties.append(id.data(), id.size());
  }
  const std::size_t remaining = 2 + (v5() ? 1 + properties.size() : 0);
  if (!begin_packet(first_byte(PacketType::connack), static_cast<std::uint32_t>(remaining), out)) {
    refuse(mqtt::Refusal::packet_too_large,
           "CONNACK is larger than the device's Maximum Packet Size (MQTT section 3.1.2.11.4)");
    return outcome_;
  }
  add(out, 0);  // session present
  add(out, kSuccess);
  if (v5()) add(out, static_cast<std::uint32_t>(properties.size()));
  out += properties;
  return outcome_;
}

EmptyBroker::Outcome EmptyBroker::feed(Bytes in, std::string& out) {
  while (outcome_.kind == Outcome::Kind::go_on && !in.empty()) {
    switch (phase_) {
      case Phase::header: in = take_header(in, out); break;
      case Phase::head: in = take_head(in, out); break;
      case Phase::payload: in = skip_payload(in, out); break;
    }
  }
  return outcome_;
}

Bytes EmptyBroker::take_header(Bytes in, std::string& out) {
  const auto status = header_.push(in[0]);
  if (status == mqtt::FixedHeader::Status::malformed)
    fail(DisconnectReason::malformed, "the remaining length has more than four bytes (MQTT section 2.1.4)");
  if (status != mqtt::FixedHeader::Status::done) return in.subspan(1);
  check_header();
  phase_ = Phase::head;
  if (outcome_.kind == Outcome::Kind::go_on && header_.remaining() == 0) read_head({}, out);
  return in.subspan(1);
}

void EmptyBroker::check_header() {
  const PacketType type = header_.type();
  switch (type) {
    case PacketType::reserved: return fail(DisconnectReason::malformed, "packet type 0 (MQTT section 2.1.2)");
    case PacketType::connect: return fail(DisconnectReason::protocol_error, "a second CONNECT (MQTT section 3.1)");
    case PacketType::auth:
      if (!v5()) return fail(DisconnectReason::malformed, "packet type 15 (MQTT 3.1.1 section 2.2.1)");
      return fail(DisconnectReason::protocol_error, "AUTH without an authentication method (MQTT section 4.12)");
    case PacketType::connack:
    case PacketType::suback:
    case PacketType::unsuback:
    case PacketType::pingresp:
      return fail(DisconnectReason::protocol_error, "a client sent a server's packet (MQTT section 2.1.2)");
    default: break;
  }
  if (!flags_are_valid(version_, type, header_.flags()))
    return fail(DisconnectReason::malformed, "the fixed header's flags are wrong (MQTT section 2.1.3)");
  if (header_.packet_size() > max_packet_size_)
    return fail(DisconnectReason::packet_too_large, "the packet is larger than max_packet_size");
  if (type != PacketType::publish && header_.remaining() > kMaxBody)
    fail(DisconnectReason::packet_too_large, "a packet other than PUBLISH is larger than 64 KiB");
}

// Reads the head in place if it is complete; otherwise collects `need_` bytes and tries again.
Bytes EmptyBroker::take_head(Bytes in, std::string& out) {
  if (need_ == 0) {
    const Bytes here = in.first(std::min<std::size_t>(in.size(), header_.remaining()));
    if (const auto size = read_head(here, out)) return in.subspan(*size);
    if (outcome_.kind != Outcome::Kind::go_on) return in;
  }
  const std::size_t count = std::min<std::size_t>(in.size(), need_ - head_.size());
  head_.append(reinterpret_cast<const char*>(in.data()), count);
  if (head_.size() == need_) read_head(bytes_of(head_), out);
  return in.subspan(count);
}

// Handles the head and returns its size; nothing if it failed, or if `need_` bytes of body must come first.
std::optional<std::uint32_t> EmptyBroker::read_head(Bytes body, std::string& out) {
  const std::uint32_t remaining = header_.remaining();
  std::uint32_t size = remaining;
  if (header_.type() == PacketType::publish) {
    if (!read_publish(body)) return {};
    size = publish_.payload_at;
  } else if (body.size() < remaining) {
    need_ = remaining;
    return {};
  } else {
    answer_whole(body, out);
  }
  if (outcome_.kind == Outcome::Kind::failed) return {};
  need_ = 0;
  std::string().swap(head_);  // an idle device keeps no memory
  phase_ = Phase::payload;
  payload_left_ = remaining - size;
  if (payload_left_ == 0) end_packet(out);
  return size;
}

Bytes EmptyBroker::skip_payload(Bytes in, std::string& out) {
  const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(in.size(), payload_left_));
  payload_left_ -= count;
  if (payload_left_ == 0) end_packet(out);
  return in.subspan(count);
}

// Acknowledges a PUBLISH only when all of it has arrived: the broker owns it from then on (MQTT-4.3.2-4, MQTT-4.3.3-8).
void EmptyBroker::end_packet(std::string& out) {
  if (header_.type() == PacketType::publish && publish_.qos > 0)
    acknowledge(publish_.qos == 1 ? PacketType::puback : PacketType::pubrec, publish_.packet_id, kNoMatchingSubscribers,
                out);
  header_.reset();
  phase_ = Phase::header;
}

// True if publish_ is complete; otherwise the packet failed, or need_ is set.
bool EmptyBroker::read_publish(Bytes body) {
  const auto result = mqtt::parse_publish(version_, header_.flags(), body, header_.remaining());
  if (const auto* flaw = std::get_if<mqtt::Flaw>(&result)) {
    fail(*flaw);
    return false;
  }
  const auto* more = std::get_if<mqtt::NeedMore>(&result);
  if (more != nullptr) need_ = more->total;
  if (more == nullptr) publish_ = std::get<mqtt::Publish>(result);
  if ((more != nullptr ? need_ : publish_.payload_at) > kMaxPublishHead) {
    fail(DisconnectReason::packet_too_large, "the properties of a PUBLISH are larger than 64 KiB");
    return false;
  }
  if (more != nullptr) return false;
  publish_.topic = {};            // it points into the caller's bytes
  if (publish_.topic_alias != 0)  // Topic Alias Maximum is 0
    fail(DisconnectReason::topic_alias_invalid, "a topic alias, but the broker allows 0 (MQTT section 3.3.2.3.4)");
  return true;
}

void EmptyBroker::answer_whole(Bytes body, std::string& out) {
  switch (header_.type()) {
    case PacketType::subscribe: return answer_filters(mqtt::FilterReader::Of::subscribe, body, out);
    case PacketType::unsubscribe: return answer_filters(mqtt::FilterReader::Of::unsubscribe, body, out);
    case PacketType::pingreq:
      if (!body.empty()) return fail(DisconnectReason::malformed, "PINGREQ with a body (MQTT section 3.12)");
      begin_packet(first_byte(PacketType::pingresp), 0, out);
      return;
    case PacketType::disconnect: return take_disconnect(body);
    default: return answer_acknowledgement(body, out);
  }
}

// SUBACK grants the QoS that the device asked for. UNSUBACK says success: the device is not subscribed afterwards.
void EmptyBroker::answer_filters(mqtt::FilterReader::Of packet, Bytes body, std::string& out) {
  const bool subscribe = packet == mqtt::FilterReader::Of::subscribe;
  mqtt::Subscription subscription;
  std::uint32_t count = 0;
  mqtt::FilterReader checked(version_, packet, body);
  while (checked.next(subscription)) ++count;
  if (checked.flaw()) return fail(checked.flaw());

  const std::uint32_t codes = subscribe || v5() ? count : 0;  // 3.x: UNSUBACK has none
  const std::uint32_t remaining = 2 + (v5() ? 1 : 0) + codes;
  if (!begin_packet(first_byte(subscribe ? PacketType::suback : PacketType::unsuback), remaining, out)) return;
  add_u16(out, checked.packet_id());
  if (v5()) add(out, 0);  // no properties
  if (codes == 0) return;
  mqtt::FilterReader granted(version_, packet, body);
  while (granted.next(subscription)) add(out, subscribe ? subscription.qos : kSuccess);
}

// PUBREL ends a QoS 2 PUBLISH. PUBACK, PUBREC and PUBCOMP answer PUBLISH packets of an earlier session; brokers
// tolerate them. Of the three, only PUBREC expects an answer.
void EmptyBroker::answer_acknowledgement(Bytes body, std::string& out) {
  mqtt::Reader reader(body);
  const mqtt::Acknowledgement said = mqtt::read_acknowledgement(version_, reader);
  if (!reader.ok()) return fail(reader.flaw());
  if (header_.type() == PacketType::pubrel) acknowledge(PacketType::pubcomp, said.packet_id, kSuccess, out);
  if (header_.type() == PacketType::pubrec && said.reason < 0x80)
    acknowledge(PacketType::pubrel, said.packet_id, kPacketIdNotFound, out);
}

void EmptyBroker::take_disconnect(Bytes body) {
  mqtt::Reader reader(body);
  const mqtt::Disconnect said = mqtt::read_disconnect(version_, reader);
  if (!asked_for_expiry_ && said.session_expiry_interval.value_or(0) != 0)
    reader.protocol_error("DISCONNECT sets a session expiry, but CONNECT had set 0 (MQTT section 3.14.2.2.2)");
  if (!reader.ok()) return fail(reader.flaw());
  outcome_.kind = Outcome::Kind::closed;
}

// Appends an answer's fixed header; fails, and appends nothing, if the packet would exceed the device's Maximum Packet
// Size (MQTT-3.1.2-24).
bool EmptyBroker::begin_packet(std::uint8_t first, std::uint32_t remaining, std::string& out) {
  const std::uint32_t header_size = remaining < 128 ? 2 : remaining < 16384 ? 3 : 4;
  if (header_size + remaining > device_maximum_) {
    fail(DisconnectReason::packet_too_large,
         "the answer is larger than the device's Maximum Packet Size (MQTT section 3.1.2.11.4)");
    return false;
  }
  add(out, first);
  for (; remaining > 127; remaining >>= 7) add(out, remaining | 0x80);
  add(out, remaining);
  return true;
}

// PUBACK, PUBREC, PUBREL, PUBCOMP. 5.0 may leave out the reason code if it is success (MQTT section 3.4.2.1).
void EmptyBroker::acknowledge(PacketType type, std::uint16_t packet_id, std::uint8_t reason, std::string& out) {
  const bool with_reason = v5() && reason != kSuccess;
  if (!begin_packet(first_byte(type), with_reason ? 3 : 2, out)) return;
  add_u16(out, packet_id);
  if (with_reason) add(out, reason);
}

}  // namespace relayd
