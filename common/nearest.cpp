#include "common/nearest.h"

#include <algorithm>

namespace common {
namespace {

// Optimal string alignment distance: Levenshtein's, and two neighbours that changed places count as one edit.
size_t edits(std::string_view from, std::string_view to) {
  std::vector<size_t> before_last, last(to.size() + 1), row(to.size() + 1);
  for (size_t j = 0; j <= to.size(); j++) last[j] = j;
  for (size_t i = 1; i <= from.size(); i++) {
    row[0] = i;
    for (size_t j = 1; j <= to.size(); j++) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (from[i - 1] != to[j - 1])});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = last;
    last = row;
  }
  return last[to.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t fewest = 0;
  for (const std::string& candidate : candidates) {
    const size_t needed = edits(word, candidate);
    if (needed > (candidate.size() + 2) / 3 || (!best.empty() && needed >= fewest)) continue;
    best = candidate;
    fewest = needed;
  }
  return best;
}

}  // namespace common
