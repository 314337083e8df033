// What a captured worker says to keyd and to its connector: any bytes, in any order.
#pragma once

#include "tests/captured/attacker.h"

namespace captured {

// `channel`: to the connector, which makes the connections to keyd and says HELLO on them.
Attacks keyd_attacks(int channel);

}  // namespace captured
