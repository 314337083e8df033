// What a captured worker says to keyd and to its connector: any bytes, in any order.
#pragma once

#include <string>

#include "tests/captured/attacker.h"

namespace captured {

std::string from_hex(const std::string& text);
std::string to_hex(const std::string& bytes);

// `channel`: to the connector, which makes the connections to keyd and says HELLO on them.
Attacks keyd_attacks(int channel);

}  // namespace captured
