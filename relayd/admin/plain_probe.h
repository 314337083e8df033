// Finds out whether a port that does not answer a ClientHello speaks MQTT without TLS. For `check` only. Blocks.
#pragma once

#include "common/units.h"
#include "relayd/handover/socket_address.h"

namespace relayd::admin {

// Sends CONNECT (3.1.1, no client id, no user) and, if the broker accepts it, DISCONNECT. True if a CONNACK comes
// within `patience`, whatever its code. Sends nothing secret.
bool speaks_plain_mqtt(const SocketAddress& address, common::Milliseconds patience);

}  // namespace relayd::admin
