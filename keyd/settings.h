// keyd's configuration, read and checked. Looks into the file and the user database, nowhere else.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/log.h"
#include "keyd/key_store.h"

namespace keyd {

struct Settings {
  ConfiguredPath private_keys_dir, listener_keyfile, socket;
  std::vector<uid_t> allowed_uids;
  bool allow_tls12_client = true;
  size_t key_cache = 256;  // parsed keys held in locked memory
  size_t max_connections = 256;
  common::log::Level log_level = common::log::Level::info;
};

// What the command line or the environment says instead of the file.
struct Overrides {
  std::optional<std::string> private_keys_dir, log_level;
};

// Throws common::ConfigError naming the file, the path in it, what was found and what is allowed.
Settings load_settings(const std::string& file, const Overrides& overrides);

}  // namespace keyd
