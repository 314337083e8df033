// `mqtt-relay keys remove`: takes the keys of client ids away from keyd.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "keyd/admin/keys_directory.h"

namespace keyd::admin {

struct RemoveOptions {
  std::vector<std::string> client_ids = {};
  std::string list = {};  // a file of more, one a line; "-": standard input; "": none
  bool json = false;
};

struct Removed {
  std::string client_id;
  std::string problem;  // "": its key is removed
};

struct RemoveSummary {
  uint64_t removed = 0, failed = 0;
};

// Calls `each` for every client id, in the order given; the others are removed even if one has no key. Throws
// common::CommandFailed if there is none, and if nothing can be removed at all; InputError if the list can't be read.
RemoveSummary remove_keys(const RemoveOptions& options, KeysDirectory& directory,
                          const std::function<void(const Removed&)>& each);

}  // namespace keyd::admin
