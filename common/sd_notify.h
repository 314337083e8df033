// The service manager's protocol, sd_notify(3): one datagram to $NOTIFY_SOCKET.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace common {

// Sends `state` ("READY=1", "STOPPING=1", …). False if there is no service manager, or if sending failed.
bool sd_notify(std::string_view state);

// Sends "RELOADING=1" with the time that the protocol requires; "READY=1" must follow.
bool sd_notify_reloading();

// How often the service manager expects "WATCHDOG=1" from this process, sd_watchdog_enabled(3); nullopt: never.
std::optional<std::chrono::milliseconds> sd_watchdog_interval();

}  // namespace common
