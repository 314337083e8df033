// MQTT as the tests speak it: they build and parse packets by hand, without any of the product's code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace harness::mqtt {

inline constexpr int v31 = 3, v311 = 4, v5 = 5;

enum class Type : uint8_t {
  connect = 1,
  connack,
  publish,
  puback,
  pubrec,
  pubrel,
  pubcomp,
  subscribe,
  suback,
  unsubscribe,
  unsuback,
  pingreq,
  pingresp,
  disconnect,
  auth
};

struct Will {
  std::string topic = {}, payload = {};
  int qos = 0;
  bool retain = false;
  std::string properties = {};  // 5.0, encoded
};

struct Connect {
  std::string client_id = {};
  int level = v311;
  bool clean = true;
  uint16_t keep_alive = 60;
  std::optional<Will> will = {};
  std::optional<std::string> username = {}, password = {};
  std::string properties = {};  // 5.0, encoded, without their length
};

struct Publish {
  std::string topic = {}, payload = {};
  int qos = 0;
  uint16_t packet_id = 0;
  bool retain = false, dup = false;
  std::string properties = {};
};

// A whole packet as received.
struct Packet {
  std::string bytes;
  std::string body;  // the bytes after the fixed header
  Type type() const { return static_cast<Type>(static_cast<uint8_t>(bytes.at(0)) >> 4); }
};

std::string variable_length(size_t value);
std::string text(std::string_view value);  // two-byte length, then the bytes
std::string number(uint16_t value);
std::string packet(uint8_t first_byte, std::string_view body);
std::string user_property(std::string_view name, std::string_view value);

std::string connect(const Connect& c);
std::string publish(const Publish& p, int level = v311);
std::string subscribe(uint16_t packet_id, std::string_view filter, int qos, int level = v311);
std::string acknowledge(Type type,
                        uint16_t packet_id);  // PUBACK, PUBREC, PUBREL, PUBCOMP: the short form, valid in all versions
std::string pingreq();
std::string disconnect(int level = v311, std::string_view body = {});

Publish parse_publish(const Packet& p, int level);
uint16_t packet_id_of(const Packet& p);  // of an acknowledgement
// CONNACK's return code or reason code, and its session-present flag.
int connack_code(const Packet& p);
bool session_present(const Packet& p);

// Text for transcripts: packets that two brokers may encode differently but mean alike get the same text.
std::string describe(const Packet& p);

}  // namespace harness::mqtt
