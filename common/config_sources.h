// What wins over a configuration file: its drop-ins, and the environment.
#pragma once

#include <string>
#include <vector>

namespace common {

struct ConfigSources {
  std::vector<std::string> drop_ins;   // paths, in their order
  std::vector<std::string> variables;  // names, sorted
};

// "keyd.json.d/10-rate.json, MQTT_KEYD_KEY_RATE"; "": none.
std::string in_words(const ConfigSources& sources);

}  // namespace common
