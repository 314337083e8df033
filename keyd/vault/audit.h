// The audit: one JSON line for every question, written before its answer leaves, to standard output and, if there is
// one, to a file. Written means that the kernel has all of it, for each of the two.
//
// Each line carries the SHA-256 of the line before it ("prev"), so that a line that was removed, changed or moved
// shows. With a file the chain goes on over restarts and rotations; without one, each run begins its own (zeros). Lines
// are always whole: if one could be written only in part, its rest goes first as soon as writing works again. From a
// failure, or from a reader that takes no more, until then the audit is degraded. It never waits: an answer that has no
// line yet is the caller's to hold back. Client ids come from the network and are escaped; no line holds a key or a
// signature. One thread.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/output.h"
#include "ipc/protocol.h"

namespace keyd {

struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  uint16_t worker = 0;  // as the peer says in HELLO
  uint64_t lane = 0;    // requests of one lane share a rate, a queue and a turn: a process's, or a connection's if keyd
                        // sees no process
  std::chrono::milliseconds timeout{5000};          // how long it waits for an answer, as it says in HELLO
  std::shared_ptr<const std::atomic<bool>> gone{};  // true once its connection has ended; null: never
};

struct AuditEvent {
  const char* event;  // "connect", "lookup", "sign", "malformed"
  const Peer& peer;
  const ipc::Lookup* key = nullptr;
  const ipc::Sign* sign = nullptr;
  ipc::Status result = ipc::Status::ok;
  std::string_view reason{};
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
  // How far a line has come.
  enum class Written {
    yes,
    begun,  // a part of it is out: it is written once ready() is true
    later,  // nothing of it is out: the reader takes no more for now
    no,     // nothing, or a part only, and not for want of a reader: a full disk
  };
  // Without a read for longer than this, the reader counts as gone and no longer as slow.
  static constexpr std::chrono::seconds kSlow{5};

  // Writes the run's first line ("start") to `out` and to the file, if there is one. Throws std::runtime_error if it
  // can't; where only the reader is slow, the line goes before all others.
  explicit Audit(common::Output out, std::optional<AuditFile> file = {}, AuditTail tail = {});
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;

  // Whether a line can be written as far as is known; when degraded, tries.
  bool ready();
  // Anything but yes: the answer must not leave now.
  Written try_write(const AuditEvent& event);
  // The same for what is not tried again: false, and lost(), unless it is written.
  bool write(const AuditEvent& event);
  // A request's line was not written and will not be. The next line says how many there were.
  void lost();
  // After a rotation: goes on in a new file of the same name. If there can't be one, the old stays in use.
  void reopen();
  bool degraded() const { return degraded_; }
  // Degraded by a failure, or for longer than kSlow: nothing is to be signed.
  bool stalled() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Sink {
    common::Output out;
    size_t unwritten = 0;  // bytes at the end of line_
  };
  Written start();
  Written append(std::string line);
  Written failed(Written how);
  bool flush();
  bool flush(Sink& sink);
  std::optional<AuditFile> file_;
  common::Fd file_fd_;
  std::vector<Sink> sinks_;
  std::string line_;  // the last one
  AuditTail tail_;
  bool started_ = false, degraded_ = false;
  int cause_ = 0;  // errno of the last failure
  Clock::time_point degraded_since_{};
  uint64_t lost_ = 0;  // lines that could not be written since it is degraded
};

}  // namespace keyd
