// The service manager's readiness protocol, sd_notify(3): one datagram to $NOTIFY_SOCKET.
#pragma once

#include <string_view>

namespace common {

// Sends `state` ("READY=1", "STOPPING=1", …). False if there is no service manager, or it could not be told.
bool sd_notify(std::string_view state);

}  // namespace common
