// CONNECT (MQTT section 3.1): the one packet that the relay reads in full before it decides where a session
// goes.
//
// Everything that the standard lets a server check without knowing its users is checked here; what is policy
// (which client ids, how long) is the caller's. A mosquitto bridge is a device: it sets the top bit of a 3.x
// protocol level (0x83, 0x84), which means the base version and is accepted, as its bytes go on unchanged to
// a remote that knows or refuses the bit.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "relayd/mqtt/types.h"

namespace mqtt {

inline constexpr std::uint32_t kDefaultMaxConnectSize = 256 * 1024;  // bytes; a will alone may have 64 KiB

struct Will {
  std::uint8_t qos = 0;  // 0 to 2
  bool retain = false;
};

// A well-formed CONNECT. Trivially copyable, but client_id points into the bytes that were parsed.
struct Connect {
  Version version = Version::v5_0;
  bool clean_start = false;      // 3.x: clean session
  std::uint16_t keep_alive = 0;  // seconds; 0: no limit
  // At most 65535 bytes of MQTT UTF-8, maybe none. Untrusted: may hold '/', "..", control characters.
  std::string_view client_id{};
  std::optional<Will> will{};
  bool has_password = false;                         // present, maybe empty
  bool has_authentication_method = false;            // 5.0: wants AUTH packets (4.12)
  bool request_problem_information = true;           // 5.0: whether acknowledgements may explain themselves
  std::uint32_t session_expiry_interval = 0;         // 5.0: seconds; 0xFFFFFFFF: never. 0 in 3.x
  std::uint32_t maximum_packet_size = kNoSizeLimit;  // 5.0: bytes of a whole packet that the device takes
  std::uint32_t size = 0;                            // bytes of this packet; what follows in the input is the next one
};

enum class ConnectError : std::uint8_t {
  malformed,            // the bytes are not those of a CONNECT
  protocol_error,       // well-formed, but forbidden
  unsupported_version,  // protocol name or level unknown (3.1.2.1, 3.1.2.2)
  too_large,            // the fixed header announces more than max_connect_size
  not_connect,          // the first packet is another one (MQTT-3.1.0-1), or this is not MQTT
};

struct BadConnect {
  ConnectError error = ConnectError::malformed;
  // Whose CONNACK the peer would understand; none: close without one. 3.x has no code for most errors, see
  // packets.h.
  std::optional<Version> answer_as{};
  std::string_view why{};                            // static text for the operator
  std::uint32_t maximum_packet_size = kNoSizeLimit;  // for the answer, if the device could say it
};

// NeedMore::total is the size of the whole CONNECT, 0 as long as its fixed header isn't complete.
using ConnectResult = std::variant<NeedMore, BadConnect, Connect>;

// `in` holds all bytes received so far, from the first one on; it may hold more than the CONNECT. Pure: call
// it again with more. `not_connect` is told from the first byte and `too_large` from the fixed header (at
// most five bytes), before the caller would buffer anything; the other errors once the packet is complete.
ConnectResult parse_connect(Bytes in, std::uint32_t max_connect_size = kDefaultMaxConnectSize);

}  // namespace mqtt
