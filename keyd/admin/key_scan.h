// One pass over the directory of keys, a file at a time: a million files take no more memory than one.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "keyd/admin/key_room.h"

namespace keyd::admin {

struct ScannedFile {
  std::string name;       // in the directory
  std::string client_id;  // "": no client id can name this file, and it was not read
  std::optional<KeyInfo> key;
  std::string problem;  // why there is no key, in the daemon's own words
  mode_t mode = 0;
  int64_t modified_ns = 0;
};

// The client id whose key this file is; "" if no client id can name it.
std::string client_id_of(std::string_view file_name);

// Calls `each` for every name except "." and "..", in the directory's own order. With `wanted`, reads and reports only
// files whose client id it accepts. Shows its progress on a terminal. Throws std::runtime_error as open_keys_dir, and
// if the directory can't be listed.
void scan_keys(const ConfiguredPath& keys_dir, KeyReader& reader, const std::function<void(const ScannedFile&)>& each,
               const std::function<bool(const std::string& client_id)>& wanted = {});

}  // namespace keyd::admin
