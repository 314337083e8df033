// keyd's configuration, read and checked. Reads only the file, its drop-ins, the environment and the user database.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/config.h"
#include "common/config_sources.h"
#include "common/log_settings.h"
#include "keyd/handover/notary_settings.h"

namespace keyd {

// A path of the configuration, and where it was set, for errors: "/etc/keyd.json: private_keys_dir".
struct ConfiguredPath {
  std::string path, origin;
};

// The remote brokers that device keys may sign for.
struct BindRemote {
  // A certificate must be for one of these names and addresses; a name is also the SNI. At least one.
  std::vector<std::string> remote_hosts;
  std::vector<std::string> alpn;  // the protocols that the handshake must offer
  ConfiguredPath cacertfile;
};

// The CAs of the devices' own certificates, each of which is for its client id: a device's key then signs for a device
// that shows one, whatever key that has.
struct BindDevice {
  BoundDevice::ClientIdFrom client_id_from = BoundDevice::ClientIdFrom::cn;
  bool partial_chain = false;
  ConfiguredPath cacertfile;
};

struct Settings {
  ConfiguredPath private_keys_dir, socket;
  std::vector<ConfiguredPath> listener_keyfiles;  // at least one
  std::optional<ConfiguredPath> local_keyfile;    // relayd's key as a client of the local broker
  std::optional<ConfiguredPath> key_passphrase_file, audit_file;
  std::vector<uid_t> allowed_uids;
  bool allow_tls12_client = true, require_presence = true, require_sandbox = false;
  common::Milliseconds presence_window{60'000};  // between a device's handshake and its key's signature
  std::optional<BindRemote> bind_remote;
  std::optional<BindDevice> bind_device;
  size_t key_cache = 256;  // parsed keys held in locked memory
  size_t max_connections = 256;
  size_t signers = 1;        // threads that sign; by default one a core
  size_t max_queue = 4096;   // requests of one worker that may wait
  common::Rate worker_rate;  // requests of one worker
  common::Rate key_rate;     // signatures with one device's key
  common::log::Settings log;
  common::ConfigSources sources;
};

// What the command line or the environment sets instead of the file.
struct Overrides {
  std::optional<std::string> private_keys_dir, log_level, log_format = {};
};

// Throws common::ConfigError naming the file, the path in it, what was found and what is allowed.
Settings load_settings(const std::string& file, const Overrides& overrides);

}  // namespace keyd
