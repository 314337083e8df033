#include "relayd/mqtt/topic.h"

namespace mqtt {
namespace {

constexpr std::string_view kShare = "$share/";

bool level_is_sound(std::string_view level, bool last) {
  if (level == "+") return true;
  if (level == "#") return last;
  return level.find_first_of("+#") == std::string_view::npos;
}

bool levels_are_sound(std::string_view filter) {
  if (filter.empty()) return false;
  for (;;) {
    const std::size_t slash = filter.find('/');
    const bool last = slash == std::string_view::npos;
    if (!level_is_sound(filter.substr(0, slash), last)) return false;
    if (last) return true;
    filter.remove_prefix(slash + 1);
  }
}

}  // namespace

bool is_topic_name(std::string_view topic) {
  return !topic.empty() && topic.find_first_of("+#") == std::string_view::npos;
}

bool is_shared_filter(std::string_view filter) { return filter.substr(0, kShare.size()) == kShare; }

bool is_topic_filter(std::string_view filter, Version version) {
  if (version != Version::v5_0 || !is_shared_filter(filter)) return levels_are_sound(filter);
  filter.remove_prefix(kShare.size());
  const std::size_t slash = filter.find('/');
  if (slash == std::string_view::npos) return false;
  return is_topic_name(filter.substr(0, slash)) && levels_are_sound(filter.substr(slash + 1));
}

}  // namespace mqtt
