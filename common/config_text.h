// The text of a configuration file as JSON, and where each value stands in it. JSON with // and /* */ comments; each
// key once in its object.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace common {

struct ConfigText {
  nlohmann::json object;
  // The line of each value, by its path: "listener.bind", "remote_hosts[0].host".
  std::map<std::string, size_t, std::less<>> lines;
};

inline constexpr size_t kMaxConfigDepth = 32;  // objects and lists inside each other

// Throws ConfigError: `name`, line and column, what was found, what to do.
ConfigText parse_config_text(std::string_view text, const std::string& name);

// "listener" and "bind" → "listener.bind"; "" is the whole document.
std::string path_of(std::string_view object, std::string_view key);
// A value, shortened, and its type: `70 (number)`.
std::string shown(const nlohmann::json& value);

}  // namespace common
