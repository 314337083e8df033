// Reads one file that should hold a private key; if it can't, says exactly why.
//
// Never leaves the directory (a name is one component), follows no link, opens no device, waits for no FIFO. Root or
// keyd must own the file. No other user may write to it or read it, but root's or keyd's group may read, as with
// systemd's credentials.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "keyd/vault/private_key.h"

struct stat;

namespace keyd {

inline constexpr size_t kMaxKeyFile = 64 * 1024;

// The attributes that show whether a file has changed.
struct FileState {
  uint64_t device = 0, inode = 0, size = 0;
  int64_t modified_ns = 0, changed_ns = 0;
  bool operator==(const FileState&) const = default;
  static FileState of(const struct stat& info);
};

// Empty if a file with this kind, owner, mode and size may hold a secret; else why not, and the remedy.
std::string why_unsafe(const struct stat& info, const std::string& path);

struct KeyFile {
  std::shared_ptr<PrivateKey> key;  // null: `problem` says why, and what to do
  std::string problem;
  bool forbidden = false;  // its type, owner or mode forbids its use, whatever it contains
  bool sealed = false;     // it is encrypted, and was not to be opened
  bool shortage = false;   // there was no locked memory for it just now
  FileState state;
  mode_t mode = 0;
};

class KeyReader {
 public:
  // `passphrase` is for encrypted keys, may be empty, and must outlive the reader.
  explicit KeyReader(SecureSlots& slots, std::string_view passphrase = {});
  // Reads `name` in `directory` (O_PATH is enough); `path` is its name in problems. Opening an encrypted key may take
  // half a second. One thread at a time.
  KeyFile read(int directory, const std::string& name, const std::string& path, bool opens = true);

 private:
  SecureSlots& slots_;
  std::string_view passphrase_;
  LockedMemory file_;  // the file being read; wiped after each use
};

}  // namespace keyd
