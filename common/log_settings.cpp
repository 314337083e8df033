#include "common/log_settings.h"

#include <algorithm>

namespace common::log {
namespace {

template <typename Value>
Value value_of(std::string_view name, const std::vector<std::string_view>& names) {
  return static_cast<Value>(std::ranges::find(names, name) - names.begin());
}

}  // namespace

Settings settings_of(std::string_view level, std::string_view format) {
  return {value_of<Level>(level, level_names()), value_of<Format>(format, format_names())};
}

}  // namespace common::log
