// Tells the operator what to do when a peer ends a handshake with a TLS alert (RFC 8446 section 6). Pure.
#pragma once

#include <string>
#include <string_view>

namespace relayd {

// A device's alert is about the listener; the remote broker's is about a device's connection. "": the alert's name says
// all there is to say.
std::string_view advice_on_device_alert(int code);
std::string_view advice_on_remote_alert(int code);

// "TEXT; ADVICE", or the text alone.
std::string with_advice(std::string text, std::string_view advice);

}  // namespace relayd
