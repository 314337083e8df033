// The audit: one JSON line for every question, written before its answer leaves, to standard output and, if there is
// one, to a file.
//
// Each line carries the SHA-256 of the line before it ("prev"), so that a line that was removed, changed or moved
// shows. With a file the chain goes on over restarts and rotations; without one, each run begins its own (zeros). Lines
// are always whole: if one could be written only in part, its rest goes first as soon as writing works again. From a
// failure until then the audit is degraded, and nothing is to be signed. Client ids come from the network and are
// escaped; no line holds a key or a signature. One thread.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/fd.h"
#include "ipc/protocol.h"

namespace keyd {

struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  uint16_t worker = 0;  // as the peer says in HELLO
  uint64_t lane =
      0;  // who shares a rate, a queue and a turn: the process, or, where keyd can't see that, the connection
};

struct AuditEvent {
  const char* event;  // "connect", "lookup", "sign", "malformed"
  const Peer& peer;
  const ipc::Lookup* key = nullptr;
  const ipc::Sign* sign = nullptr;
  ipc::Status result = ipc::Status::ok;
  std::string_view reason = "";
  uint64_t wait_us = 0, spent_us = 0;  // from the request's arrival, and from when keyd took it up
};

// A file that lines are only ever added to: opened in its directory, so that it can be opened again after a rotation.
struct AuditFile {
  common::Fd directory;
  std::string name, path;  // beneath the directory; for the log
  // A new descriptor, locked for this process (flock(2)); empty if it can't be had, and errno says why.
  common::Fd open() const;
};

// Where a chain goes on: what its last line was.
struct AuditTail {
  uint64_t next_sequence = 0;
  std::string previous = std::string(64, '0');  // hash of the last line, hexadecimal
  bool torn = false;  // the last line lacks its end, and `previous` is its hash with the newline that it is to get
};

class Audit {
 public:
  // Writes the run's first line ("start") to `out`, which stays the caller's, and to the file, if there is one. Throws
  // std::runtime_error if it can't.
  explicit Audit(int out, std::optional<AuditFile> file = {}, AuditTail tail = {});
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;

  // Whether a line can be written as far as is known; when degraded, tries. Ask before anything that must be
  // audited.
  bool ready();
  // False: the line is not written, the answer must not say more than "internal". Blocks while the journal is slow:
  // by design, as nothing may be signed faster than it is recorded.
  bool write(const AuditEvent& event);
  // After a rotation: goes on in a new file of the same name. If there can't be one, the old stays in use.
  void reopen();
  bool degraded() const { return degraded_; }

 private:
  struct Sink {
    int fd = -1;
    size_t unwritten = 0;  // bytes at the end of line_
  };
  bool append(std::string line);
  bool flush();
  bool flush(Sink& sink) const;
  std::optional<AuditFile> file_;
  common::Fd file_fd_;
  std::vector<Sink> sinks_;
  std::string line_;  // the last one
  AuditTail tail_;
  bool degraded_ = false;
  uint64_t lost_ = 0;  // lines that could not be written since it is degraded
};

}  // namespace keyd
