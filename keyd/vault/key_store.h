// Finds the private key for a client id, `${clientid}.pem` in one directory, and relayd's own keys, for its listeners
// and for the local broker, each in a file of its own.
//
// Parsed keys are cached; the least recently used is dropped first. Each use costs one fstatat(2), so a file that was
// added, replaced, removed or given another owner or mode takes effect at once, and a million files cost nothing until
// asked for. A replacement with broken content leaves the old key in use while it is cached; one with a wrong owner or
// mode does not. A file that can't be used is logged once per change, with the remedy.
//
// Any thread. No thread waits for a disk under the store's lock: files are looked at, read and opened outside it. A
// caller says what it has time for: the loop's thread takes keys from the cache only, and opening an encrypted key may
// take half a second.
//
// A key that relayd has for another role is unusable: a worker could have signatures of one role made in the other.
//
// A new key of relayd's own comes with a new certificate, which relayd shows only after a reload. Until then the
// replaced key goes on signing, for kPreviousFor at most. If the file is removed or gets a wrong owner or mode, neither
// key is used.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/fd.h"
#include "keyd/vault/key_file.h"

namespace keyd {

class KeyStore {
 public:
  // An open directory (O_PATH is enough), and a path: that of the keys' directory, or of the file of an own key.
  struct Place {
    common::Fd directory;
    std::string path;
    ipc::Role role = ipc::Role::device;
  };
  // Time stamps of files advance in steps (a kernel tick; 2 s on some file systems), so a file that was changed again
  // within the step in which it was read looks the same afterwards. A file younger than `settled_after` is read at each
  // use.
  struct Options {
    size_t cache_size = 256;
    std::string_view passphrase{};  // must outlive the store
    std::chrono::nanoseconds settled_after = std::chrono::seconds(2);
    std::chrono::steady_clock::time_point (*now)() = std::chrono::steady_clock::now;  // times the previous key
  };
  // Enough for a renewal hook to install the certificate and the key and to reload relayd. No longer, because a key may
  // be replaced because it leaked.
  static constexpr std::chrono::seconds kPreviousFor{60};
  // Reads no key yet.
  KeyStore(Place keys, std::vector<Place> own, SecureSlots& device_slots, SecureSlots& own_slots,
           const Options& options);
  // The slots that a store needs if `threads` threads use it. Devices: the cache; one key that enters a full cache; for
  // each thread a key that the cache has dropped; a key and its DER while it is read, and another two while one is
  // opened. Own keys: each one, and the one before its last change, instead of the cache.
  static constexpr size_t device_slots(size_t cache_size, size_t threads) { return cache_size + 1 + threads + 4; }
  static constexpr size_t own_slots(size_t files, size_t threads) { return device_slots(2 * files - 1, threads); }

  // What a caller has time for: with `none`, it gets a cached key whose file has not changed.
  enum class Effort { none, reads, opens };
  struct Found {
    ipc::Status status = ipc::Status::not_found;  // ok: `key` is set; otherwise not_found, unusable or busy
    std::shared_ptr<PrivateKey> key;              // stays valid when the cache drops it
    std::string reason{};
    Effort needs = Effort::none;  // busy: the file must be read, or opened because it is encrypted. Ask again with it
  };
  // `name`: a device's client id; for an own key, the path of its file, or "" for all of the role.
  // `certificate`: of relayd's own keys, the one that belongs to it. If there is none, the first file that can't be
  // used, or the first key. `signs`: for a while after its replacement, the previous key is found too.
  Found find(ipc::Role role, std::string_view name, const ipc::Spki* certificate = nullptr,
             Effort effort = Effort::opens, bool signs = true);

  // The first of the spellings (ipc::Lookup) that has a file, of whatever kind; "": none. At most 8 are looked for.
  std::string_view similar(std::string_view spellings) const;

  size_t cached() const {
    const std::lock_guard guard(mutex_);
    return entries_.size();
  }

 private:
  struct Entry {
    std::string file, path;  // name in its directory; whole path, for the log
    FileState seen = {};
    bool settled = false;  // false: `seen` is so young that a later change might not show in it
    std::shared_ptr<PrivateKey> key = {};
    std::string problem = {};  // why there is none
  };
  using Entries = std::list<Entry>;
  struct OwnKey {
    ipc::Role role;
    common::Fd directory;
    Entry entry;
    std::shared_ptr<PrivateKey> previous = {};  // dropped at the first use after previous_until
    std::chrono::steady_clock::time_point previous_until = {};
  };
  struct Readers {
    Readers(SecureSlots& slots, const Options& options) : reader(slots), opener(slots, options.passphrase) {}
    KeyReader reader, opener;
    std::mutex reading, opening;
  };
  // `own`: null for a device's file. `previous`: the certificate for which its previous key may be found; or null.
  // `now`: what the directory says of the name; nullopt: there is no such file; FileState(): it can't be looked at.
  // `read`: what has just been read of the file; null: nothing.
  Found find_in(OwnKey* own, const std::string& file, const ipc::Spki* previous, Effort effort);
  Found find_device(const std::string& file, const std::optional<FileState>& now, KeyFile* read);
  Found find_own(OwnKey& own, const ipc::Spki* previous, const std::optional<FileState>& now, KeyFile* read);
  Found look(Entry& entry, const std::optional<FileState>& now, KeyFile* read);
  void keep_apart(ipc::Role role, Entry& entry, Found& found) const;
  void install(Entry& entry, KeyFile file);

  Place keys_;
  Options options_;
  Readers of_devices_, of_own_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<OwnKey> own_;
  Entries entries_;  // most recently used first
  std::unordered_map<std::string_view, Entries::iterator> by_file_;
};

}  // namespace keyd
