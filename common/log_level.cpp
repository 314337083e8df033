#include "common/log_level.h"

#include <algorithm>
#include <iterator>

namespace common::log {

bool parse_level(std::string_view name, Level& level) {
  const auto* found = std::ranges::find(kLevelNames, name);
  if (found == std::end(kLevelNames)) return false;
  level = static_cast<Level>(found - std::begin(kLevelNames));
  return true;
}

}  // namespace common::log
