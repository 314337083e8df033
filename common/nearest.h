// Finds what an operator probably meant to type.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace common {

// The candidate that takes the fewest edits (inserted, deleted, changed, swapped characters) to become `word`, if that
// is at most a third of its length, rounded up. "": none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace common
