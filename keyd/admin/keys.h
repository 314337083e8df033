// `keyd keys`: which keys there are, and what keyd thinks of each. Never a byte of a private half.
#pragma once

#include <iosfwd>

#include "keyd/admin/key_room.h"
#include "keyd/admin/terminal.h"

namespace keyd::admin {

struct KeysOptions {
  bool json = false;  // a line of JSON for each key
  bool wide = false;  // whole hashes on a terminal too
};

// Up to so many keys are sorted by client id; a larger directory is printed as it comes.
inline constexpr size_t kMostSorted = 10'000;

struct KeysSummary {
  uint64_t keys = 0, problems = 0;
  uint64_t others = 0;  // files that no client id can name: they are not listed
};

// Throws std::runtime_error if the directory can't be read.
KeysSummary list_keys(const ConfiguredPath& keys_dir, KeyReader& reader, const KeysOptions& options, std::ostream& out,
                      const Screen& screen, size_t most_sorted = kMostSorted);

}  // namespace keyd::admin
