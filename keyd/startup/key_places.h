// The places of keys that the configuration names: opened before keyd enters its sandbox, with errors for the operator.
#pragma once

#include "keyd/startup/settings.h"
#include "keyd/vault/key_store.h"

namespace keyd {

// Both throw std::runtime_error naming the setting, the path, the cause and the remedy: if the directory is not there,
// keyd's user can't use it, or everybody may write there.
KeyStore::Place open_keys_dir(const ConfiguredPath& keys_dir);
KeyStore::Place open_listener_dir(const ConfiguredPath& listener_keyfile);

// Throws std::runtime_error of the same kind if the listener's key is there and can't be used. If it is not there, the
// log warns: the key may come later, as devices' keys do, and counts from then on.
void expect_listener_key(KeyStore& keys, const ConfiguredPath& listener_keyfile);

// The passphrase of encrypted keys: the file's first line, in locked memory. Throws as above, also if others than root
// and keyd may read the file (but for its group, as systemd's credentials are).
class Passphrase {
 public:
  explicit Passphrase(const std::optional<ConfiguredPath>& file);
  std::string_view text() const { return text_; }  // lives as long as this object; empty if there is no file

 private:
  std::optional<LockedMemory> memory_;
  std::string_view text_;
};

}  // namespace keyd
