// `mqtt-relay keys`: lists the keys and says whether keyd can use each. Never shows a byte of a private half.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "keyd/admin/key_room.h"
#include "keyd/admin/terminal.h"

namespace keyd::admin {

struct KeysOptions {
  bool json = false;  // a line of JSON for each key
  bool wide = false;  // whole hashes on a terminal too
  // Only this client id's key, and files whose names differ from it only in case or Unicode form (NFC, NFD).
  std::optional<std::string> client_id = {};
};

// Up to this many keys are sorted by client id. A larger directory is printed as it is read.
inline constexpr size_t kMostSorted = 10'000;

struct KeysSummary {
  uint64_t keys = 0, problems = 0;
  uint64_t others = 0;  // files that no client id can name: they are not listed
  bool found = false;   // with client_id: its key is there and can be used
};

// Says in words whether the device with this client id goes to the remote broker.
std::string verdict_on(const std::string& client_id, const KeysSummary& summary);

// Throws std::runtime_error if the directory can't be read.
KeysSummary list_keys(const ConfiguredPath& keys_dir, KeyReader& reader, const KeysOptions& options, std::ostream& out,
                      const Screen& screen, size_t most_sorted = kMostSorted);

}  // namespace keyd::admin
