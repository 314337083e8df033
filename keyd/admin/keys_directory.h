// private_keys_dir as `mqtt-relay keys import` and `keys remove` change it, while keyd reads it: a name has the whole
// old file, the whole new one, or none.
//
// A new file is written beside its place as kFresh, which no client id can name, so keyd never reads it. Its owner is
// keyd's user, its mode 0600. One process at a time (flock(2) on the directory); so a kFresh that is there was left by
// one that was killed, and goes.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <span>
#include <string>

#include "keyd/startup/key_places.h"

namespace keyd::admin {

class KeysDirectory {
 public:
  static constexpr char kFresh[] = ".new-key";

  // `service`: keyd's user. Throws as open_keys_dir.
  KeysDirectory(const ConfiguredPath& keys_dir, uid_t service);
  // Before the first change. Throws common::CommandFailed if another process changes keys now, or if this user can't
  // write there or can't give files to keyd's user.
  void lock();

  int descriptor() const { return place_.directory.get(); }
  const std::string& path() const { return place_.path; }
  // Whether keyd may use a file with this owner and mode, by KeyReader's rule.
  bool suits(const struct stat& info) const;

  // Returns "", or why nothing was changed. With `replace` unset, a file that is already there stays.
  std::string install(const std::string& file, std::span<const uint8_t> content, bool replace);
  // Whether it is removed. If it is not, `problem` says why; "": it is not there.
  bool remove(const std::string& file, std::string& problem);
  // Flushes the directory to the disk, once after all changes. Throws std::system_error.
  void flush();

 private:
  std::string write_fresh(std::span<const uint8_t> content);
  KeyStore::Place place_;
  const uid_t service_;
  gid_t group_;
  common::Fd locked_;
};

}  // namespace keyd::admin
