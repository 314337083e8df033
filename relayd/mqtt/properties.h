// The properties of MQTT 5.0 (2.2.2) that a device may send.
//
// One table gives each property's type and the packets that may contain it. The reader enforces the table: an
// identifier that is not allowed in the packet is malformed; a second occurrence (except of User Property) and a value
// outside its range are protocol errors.
#pragma once

#include <cstdint>
#include <string_view>

#include "relayd/mqtt/reader.h"
#include "relayd/mqtt/types.h"

namespace mqtt {

enum class PropertyId : std::uint8_t {  // MQTT section 2.2.2.2
  payload_format_indicator = 0x01,
  message_expiry_interval = 0x02,
  content_type = 0x03,
  response_topic = 0x08,
  correlation_data = 0x09,
  subscription_identifier = 0x0B,
  session_expiry_interval = 0x11,
  assigned_client_identifier = 0x12,  // sent by servers only
  authentication_method = 0x15,
  authentication_data = 0x16,
  request_problem_information = 0x17,
  will_delay_interval = 0x18,
  request_response_information = 0x19,
  server_reference = 0x1C,  // sent by servers only
  reason_string = 0x1F,
  receive_maximum = 0x21,
  topic_alias_maximum = 0x22,
  topic_alias = 0x23,
  user_property = 0x26,
  maximum_packet_size = 0x27,
};

// The places where a device may write properties; one bit each.
enum class PropertyPlace : std::uint8_t {
  connect = 1,
  will = 2,
  publish = 4,
  acknowledgement = 8,  // PUBACK, PUBREC, PUBREL, PUBCOMP
  subscribe = 16,
  unsubscribe = 32,
  disconnect = 64,
};

struct Property {
  PropertyId id{};
  std::uint32_t number = 0;  // the value, if it is a number
  std::string_view text{};   // the value, if it is a string or binary data; a User Property's name
};

// Reads the property length, then one property after another. A flaw is recorded in `packet`, whose position is after
// the properties from the start.
class PropertyReader {
 public:
  PropertyReader(Reader& packet, PropertyPlace place);

  // False at the end and at a flaw.
  bool next(Property& out);
  std::size_t left() const { return rest_.left(); }  // bytes of the properties that are not yet read

 private:
  Reader& packet_;
  Reader rest_;
  PropertyPlace place_;
  std::uint64_t seen_ = 0;  // a bit for each identifier, all of which are below 64
};

}  // namespace mqtt
