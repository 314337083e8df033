// What the operator does about a broker's refusal of a CONNECT. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace relayd {

// `code`: CONNACK's reason code (MQTT 5.0 section 3.2.2.2) or return code (3.1.1 section 3.2.2.3), not 0.
std::string_view advice_on_connack(uint8_t code);

}  // namespace relayd
