// Why a WebSocket client is refused, or its connection ended, for what it sent: as the log and the counters say it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace relayd::websocket {

// The first six in place of an upgrade, the others in frames.
enum class Fault : uint8_t {
  bad_request,
  not_found,
  bad_version,
  no_subprotocol,
  bad_origin,
  timeout,
  protocol_error,
  text_frame,
  too_big
};
inline constexpr std::array<const char*, 9> kFaults{"bad_request",    "not_found",  "bad_version",
                                                    "no_subprotocol", "bad_origin", "timeout",
                                                    "protocol_error", "text_frame", "too_big"};
static_assert(static_cast<size_t>(Fault::too_big) + 1 == kFaults.size());

}  // namespace relayd::websocket
