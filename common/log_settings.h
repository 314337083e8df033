// The log's settings, as a configuration and the command line name them.
#pragma once

#include <string_view>
#include <vector>

#include "common/log.h"

namespace common::log {

struct Settings {
  Level level = Level::info;  // the least that is written
  Format format = Format::automatic;
  bool operator==(const Settings&) const = default;
};

inline void open(std::string_view program, const Settings& settings) { open(program, settings.level, settings.format); }

// The words for log_level and log_format, in the order of Level and Format.
inline std::vector<std::string_view> level_names() { return {std::begin(kLevelNames), std::end(kLevelNames)}; }
inline std::vector<std::string_view> format_names() { return {"auto", "json", "text"}; }

// Each must be one of these words.
Settings settings_of(std::string_view level, std::string_view format);

}  // namespace common::log
