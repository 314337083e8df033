// Reads one file that should hold a private key; if it holds none, says exactly why.
//
// Never leaves the directory (a name is one component), follows no link, opens no device, waits for no FIFO. A file
// counts only if root or keyd owns it and nobody else can write or (but for its group, as systemd's credentials are)
// read it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "keyd/vault/private_key.h"

struct stat;

namespace keyd {

// What tells one state of a file from another.
struct FileState {
  uint64_t device = 0, inode = 0, size = 0;
  int64_t modified_ns = 0, changed_ns = 0;
  bool operator==(const FileState&) const = default;
  static FileState of(const struct stat& info);
};

// Empty if a file with this kind, owner, mode and size may hold a secret; else why not, and the remedy.
std::string why_unsafe(const struct stat& info, const std::string& path);

struct KeyFile {
  // The key, as often as was asked for, so that as many threads can sign with it. Empty: `problem` says why, and what
  // to do.
  std::vector<std::shared_ptr<PrivateKey>> keys;
  std::string problem;
  bool forbidden = false;  // its kind, owner or mode forbid its use, whatever is in it
  FileState state;
  mode_t mode = 0;
};

class KeyReader {
 public:
  // `passphrase` for encrypted keys, empty for none, must outlive the reader.
  explicit KeyReader(SecureSlots& slots, std::string_view passphrase = {});
  // `name` beneath `directory` (O_PATH will do); `path` is what problems call it. One thread.
  KeyFile read(int directory, const std::string& name, const std::string& path, size_t copies = 1);

 private:
  SecureSlots& slots_;
  std::string_view passphrase_;
  LockedMemory file_;  // what is being read; wiped at once
};

}  // namespace keyd
