// The level of the log that a configuration names.
#pragma once

#include <string_view>

#include "common/log.h"

namespace common::log {

// Accepts "debug", "info", "warning" and "error"; otherwise returns false and leaves `level` alone.
bool parse_level(std::string_view name, Level& level);

}  // namespace common::log
