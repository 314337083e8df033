// Tells the operator what to do when a handshake fails, above all by a peer's TLS alert (RFC 8446 section 6). Pure.
#pragma once

#include <string>
#include <string_view>

#include "relayd/tls/stream.h"

namespace relayd {

// A device's alert is about the listener; the remote broker's is about a device's connection. "": the alert's name says
// all there is to say.
std::string_view advice_on_device_alert(tls::Alert alert);
std::string_view advice_on_remote_alert(tls::Alert alert);
std::string_view advice_on_local_alert(tls::Alert alert);  // by the local broker, about the relay's connection

// "TEXT; ADVICE", or the text alone. The advice is the end's own, or that on the alert with which the peer ended it.
std::string with_advice(const tls::End& end, std::string_view (*advice_on_alert)(tls::Alert));

}  // namespace relayd
