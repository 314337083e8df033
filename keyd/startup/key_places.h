// The places of keys that the configuration names: opened before keyd enters its sandbox, with errors for the operator.
#pragma once

#include "keyd/startup/settings.h"
#include "keyd/vault/key_store.h"

namespace keyd {

// Both throw std::runtime_error naming the setting, the path, the cause and the remedy: if the directory is missing,
// keyd's user can't use it, or any user can write there.
KeyStore::Place open_keys_dir(const ConfiguredPath& keys_dir);
KeyStore::Place open_own_key_dir(const ConfiguredPath& keyfile, ipc::Role role = ipc::Role::listener);

// A key of relayd's own: its file, and what it is for.
struct OwnKeyfile {
  ConfiguredPath file;
  ipc::Role role;
};
std::vector<OwnKeyfile> own_keyfiles(const Settings& settings);

// Throws common::ConfigError if an own key is, by its place, also the key of a device: a worker could have
// signatures of one role made in the other. KeyStore refuses another file with the same key.
void keep_apart(const KeyStore::Place& keys, const KeyStore::Place& own, const ConfiguredPath& keyfile);

// Throws std::runtime_error of the same kind if an own key exists and can't be used. If it is missing, logs a
// warning: like a device's key, it may come later, and is used from then on.
void expect_own_key(KeyStore& keys, const OwnKeyfile& own);

// The passphrase of encrypted keys: the file's first line, in locked memory. Throws as above, and also if a user other
// than root and keyd may read the file (its group may, as with systemd's credentials).
class Passphrase {
 public:
  explicit Passphrase(const std::optional<ConfiguredPath>& file);
  std::string_view text() const { return text_; }  // lives as long as this object; empty if there is no file

 private:
  std::optional<LockedMemory> memory_;
  std::string_view text_;
};

}  // namespace keyd
