// MQTT_RELAY_LONG_FAULTS=1: the long form of what takes long.
#pragma once

#include <cstdlib>

namespace faults {

inline bool long_form() { return getenv("MQTT_RELAY_LONG_FAULTS") != nullptr; }

}  // namespace faults
