// CONNECT (MQTT section 3.1): the one packet that the relay reads in full before it decides where a session goes.
//
// This parser checks everything that the standard lets a server check without knowing its users; policy (which client
// ids, how long) belongs to the caller. A mosquitto bridge is a device: it sets the top bit of a 3.x protocol level
// (0x83, 0x84). The bit is accepted and the base version applies, because the bytes pass unchanged to a remote that
// knows or refuses the bit.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "relayd/mqtt/types.h"

namespace mqtt {

inline constexpr std::uint32_t kDefaultMaxConnectSize = 256 * 1024;  // bytes; a will alone may have 64 KiB

struct Will {
  std::uint8_t qos = 0;  // 0 to 2
  bool retain = false;
};

// A well-formed CONNECT. Trivially copyable, but client_id points into the parsed bytes.
struct Connect {
  Version version = Version::v5_0;
  bool clean_start = false;      // 3.x: clean session
  std::uint16_t keep_alive = 0;  // seconds; 0: no limit
  // 0 to 65535 bytes of MQTT UTF-8. Untrusted: may contain '/', "..", control characters.
  std::string_view client_id{};
  std::optional<Will> will{};
  bool has_username = false;                         // the flag is set
  bool has_password = false;                         // present, perhaps empty
  std::uint32_t username_at = 0;                     // in the packet: where a user name is, or would be
  bool has_authentication_method = false;            // 5.0: the device wants AUTH packets (4.12)
  bool request_problem_information = true;           // 5.0: whether acknowledgements may explain themselves
  std::uint32_t session_expiry_interval = 0;         // 5.0: seconds; 0xFFFFFFFF: never. 0 in 3.x
  std::uint32_t maximum_packet_size = kNoSizeLimit;  // 5.0: largest packet that the device accepts, in bytes
  std::uint32_t size = 0;                            // bytes of this packet; the next one follows in the input
};

enum class ConnectError : std::uint8_t {
  malformed,            // the bytes are not a CONNECT
  protocol_error,       // well-formed, but forbidden
  unsupported_version,  // protocol name or level unknown (3.1.2.1, 3.1.2.2)
  too_large,            // the fixed header announces more than max_connect_size
  not_connect,          // the first packet is not CONNECT (MQTT-3.1.0-1), or this is not MQTT
};

struct BadConnect {
  ConnectError error = ConnectError::malformed;
  // The version whose CONNACK the peer would understand; none: close without one. 3.x has no code for most errors, see
  // packets.h.
  std::optional<Version> answer_as{};
  std::string_view why{};                            // static text for the operator
  std::uint32_t maximum_packet_size = kNoSizeLimit;  // for the answer, if the device's limit could be read
};

// NeedMore::total is the size of the whole CONNECT; 0 until its fixed header is complete.
using ConnectResult = std::variant<NeedMore, BadConnect, Connect>;

// `in` holds all bytes received so far, from the first one on, and perhaps more than the CONNECT. Pure: call it again
// when more bytes have come. A result other than NeedMore never depends on how many bytes have come. `not_connect` is
// reported from the first byte and `too_large` from the protocol level (at most 14 bytes, so that a 5.0 device
// gets the reason): the caller need not buffer such a packet. The other errors need the complete packet.
ConnectResult parse_connect(Bytes in, std::uint32_t max_connect_size = kDefaultMaxConnectSize);

// The same packet with a user name (MQTT section 3.1.3.5). Precondition: `packet` is what was parsed as `connect`,
// which has none; `username` is MQTT UTF-8 of at most 65535 bytes. Empty if the packet would be longer than MQTT
// allows.
std::vector<std::uint8_t> with_username(Bytes packet, const Connect& connect, std::string_view username);

}  // namespace mqtt
