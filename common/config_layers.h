// The layers of a configuration, of which a later one wins over an earlier one: the file, its drop-ins, the
// environment.
//
// The drop-ins of FILE are FILE.d/*.json, in the order of their names (bytes); a file whose name begins with a dot is
// none. Objects are merged key by key; everything else, lists included, is replaced.
//
// A variable is PREFIX and the setting's path in upper case, with __ between its keys: MQTT_RELAYD_LISTENER__BIND for
// listener.bind. Its text is read by the setting's type (config.h). An empty variable counts as unset.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "common/config_sources.h"

namespace common {

struct ConfigLayers {
  // Where a value was set.
  struct Origin {
    std::string name;         // the file, or the variable
    size_t line = 0;          // 0: it is a variable
    std::string prefix = {};  // of the variable
    bool variable() const { return !prefix.empty(); }
  };
  std::string file;
  nlohmann::json object;
  std::map<std::string, Origin, std::less<>> origins;  // by path, such as "listener.bind"
  ConfigSources sources;

  // The origin of the value at `path`, or of the nearest value that contains it; null: none.
  const Origin* origin_of(std::string_view path) const;
};

inline constexpr size_t kMaxDropIns = 100;

// The text of one file, without drop-ins and environment. Throws ConfigError.
ConfigLayers layers_of_text(std::string_view text, const std::string& name);

// The file and what wins over it. Throws ConfigError, which names the file or the variable.
ConfigLayers load_layers(const std::string& file, std::string_view prefix);

// The variable that sets `path`.
std::string variable_of(std::string_view prefix, std::string_view path);

}  // namespace common
