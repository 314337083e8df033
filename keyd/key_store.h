// Which private key answers for a client id: `${clientid}.pem` in one directory, and the listener's key beside
// them.
//
// Never leaves the directory (openat2(2), RESOLVE_BENEATH), follows no link, opens no device. A file counts only if
// root or keyd owns it and nobody else can write or (but for its group) read it. Parsed keys are cached, least
// recently used out first; each use costs one fstatat(2), by which a file that was added, replaced, removed or
// given other rights acts at once, and a million files cost nothing while nobody asks for them. A file that can't
// be used is logged once per change of it, with the remedy. One thread.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/fd.h"
#include "keyd/private_key.h"

struct stat;

namespace keyd {

// A path of the configuration, and where it was set, for errors: "/etc/keyd.json: private_keys_dir".
struct ConfiguredPath {
  std::string path, origin;
};

class KeyStore {
 public:
  // Opens the directories; reads no key. Throws std::runtime_error naming origin, path, cause and remedy.
  //
  // Time stamps of files advance in steps (a kernel tick; 2 s on some file systems), so a file that was changed again
  // within the step it was read in looks the same afterwards. Until it is `settled_after` old it is read at each use.
  KeyStore(const ConfiguredPath& keys_dir, const ConfiguredPath& listener, size_t cache_size, SecureSlots& slots,
           std::chrono::nanoseconds settled_after = std::chrono::seconds(2));

  // Throws std::runtime_error if the listener's key can't be used.
  void check_listener();

  struct Found {
    ipc::Status status = ipc::Status::not_found;  // ok: `key` is set; otherwise not_found or unusable
    std::shared_ptr<PrivateKey> key;              // stays valid when the cache drops it
    std::string reason;
  };
  // `client_id` is for devices; the listener has one key.
  Found find(ipc::Role role, std::string_view client_id);

  size_t cached() const { return entries_.size(); }

 private:
  // What tells one state of a file from another.
  struct FileId {
    uint64_t device = 0, inode = 0, size = 0;
    int64_t modified_ns = 0, changed_ns = 0;
    bool operator==(const FileId&) const = default;
  };
  struct Entry {
    std::string file, path;  // name in its directory; whole path, for the log
    FileId seen;
    bool settled = false;  // false: `seen` is too young to be sure that a later change would show in it
    std::shared_ptr<PrivateKey> key;
    std::string problem;  // why there is no key
  };
  using Entries = std::list<Entry>;

  static FileId id_of(const struct stat& info);
  Found look(int directory, Entry& entry);
  void load(int directory, Entry& entry);
  void read(int directory, Entry& entry);

  std::string keys_dir_, listener_origin_;
  common::Fd keys_fd_, listener_fd_;
  SecureSlots& slots_;
  LockedMemory file_;  // what is being read; wiped at once
  size_t cache_size_;
  std::chrono::nanoseconds settled_after_;
  Entry listener_;
  Entries entries_;  // most recently used first
  std::unordered_map<std::string_view, Entries::iterator> by_file_;
};

}  // namespace keyd
