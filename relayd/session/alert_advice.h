// What an operator can do about a TLS alert that a peer ended a handshake with (RFC 8446 section 6). Pure.
#pragma once

#include <string>
#include <string_view>

namespace relayd {

// From a device, about the listener; from the remote broker, about a device's connection. "": nothing better is known
// than the alert's name.
std::string_view advice_on_device_alert(int code);
std::string_view advice_on_remote_alert(int code);

// "TEXT; ADVICE", or the text alone.
std::string with_advice(std::string text, std::string_view advice);

}  // namespace relayd
