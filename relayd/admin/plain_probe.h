// Does a port that answers no ClientHello speak MQTT without TLS? For `check` only. Blocks.
#pragma once

#include "common/config.h"
#include "relayd/handover/socket_address.h"

namespace relayd::admin {

// Says CONNECT (3.1.1, no client id, no user) and, should the broker take it, DISCONNECT. True if a CONNACK comes
// within `patience`, whatever its code. Nothing secret is sent.
bool speaks_plain_mqtt(const SocketAddress& address, common::Milliseconds patience);

}  // namespace relayd::admin
