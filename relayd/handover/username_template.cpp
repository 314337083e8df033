#include "relayd/handover/username_template.h"

namespace relayd {
namespace {

// Calls text(part) and name(placeholder) for the parts of a template, in order. False: a brace has no partner.
template <typename OnLiteral, typename OnName>
bool walk(std::string_view whole, OnLiteral text, OnName name) {
  while (!whole.empty()) {
    const size_t brace = whole.find_first_of("{}");
    text(whole.substr(0, brace));
    if (brace == std::string_view::npos) return true;
    whole.remove_prefix(brace);
    if (whole.size() > 1 && whole[1] == whole[0]) {
      text(whole.substr(0, 1));
      whole.remove_prefix(2);
      continue;
    }
    const size_t end = whole.find('}');
    if (whole[0] == '}' || end == std::string_view::npos) return false;
    name(whole.substr(1, end - 1));
    whole.remove_prefix(end + 1);
  }
  return true;
}

constexpr auto kIgnore = [](std::string_view) {};

}  // namespace

std::string_view flaw_in_username(std::string_view text) {
  bool known = true;
  if (!walk(text, kIgnore, [&](std::string_view name) { known &= name == "clientid" || name == "cn"; }))
    return "a brace without a partner; write {{ or }} for a brace itself";
  return known ? "" : "an unknown placeholder; allowed: {clientid}, {cn}";
}

std::string expand_username(std::string_view text, std::string_view client_id, std::string_view common_name) {
  std::string all;
  walk(
      text, [&](std::string_view part) { all += part; },
      [&](std::string_view name) { all += name == "cn" ? common_name : client_id; });
  return all;
}

bool uses_common_name(std::string_view text) {
  bool uses = false;
  walk(text, kIgnore, [&](std::string_view name) { uses |= name == "cn"; });
  return uses;
}

}  // namespace relayd
