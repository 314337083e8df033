// The audit: one JSON line for every request, written before its answer leaves, to standard output and, if there is
// one, to a file. Floods of anything but signatures and successful lookups are counted instead (tally.h). A line is
// written once the kernel has all of it, for both.
//
// Each line carries the SHA-256 of the line before it ("prev"), so removing, changing or moving a line shows. With a
// file, the chain continues across restarts and rotations; without one, each run begins its own (zeros). Lines are
// always whole: the rest of a line that was written in part goes first once writing works again. Until then, after a
// failure or while its reader does not read, the audit is degraded. It never waits; the caller holds back an answer
// whose line is not yet written. Client ids come from the network and are escaped; no line holds a key or a signature.
// One thread.
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
  // Requests of one lane share a rate, a queue and a turn. A lane is a worker's if HELLO has a series, otherwise a
  // process's, or a connection's if keyd sees no process.
  uint64_t lane = 0;
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
  uint64_t wait_us = 0, spent_us = 0;    // from the request's arrival to when keyd took it up, and from then on
  std::span<const uint8_t> handshake{};  // the device handshake that it belongs to; its first bytes are written
  const char* presence = "";             // why a device's key needs no proof
};

// A file that lines are only appended to, opened in its directory so that it can be opened again after a rotation.
struct AuditFile {
  common::Fd directory;
  std::string name, path;  // beneath the directory; for the log
  // A new descriptor, locked for this process (flock(2)); empty on failure, and errno says why.
  common::Fd open() const;
};

// The end of a chain, which the next line continues.
struct AuditTail {
  uint64_t next_sequence = 0;
  std::string previous = std::string(64, '0');  // hash of the last line, hexadecimal
  bool torn = false;  // the last line is incomplete, and `previous` is its hash with the newline that will be added
};

class Tally;

class Audit {
 public:
  // How much of a line is written.
  enum class Written {
    yes,
    begun,  // a part; the rest is written once ready() is true
    later,  // nothing, because the reader is slow
    no,     // nothing, or a part, for another reason, such as a full disk
  };
  // A reader that does not read for longer than this counts as gone instead of slow.
  static constexpr std::chrono::seconds kSlow{5};

  // Writes the run's first line ("start") to `out` and to the file, if there is one. Throws std::runtime_error on
  // failure; if only the reader is slow, writes the line later, before all others.
  explicit Audit(common::Output out, std::optional<AuditFile> file = {}, AuditTail tail = {});
  ~Audit();  // writes what is counted

  // Whether a line can be written, as far as is known; tries when degraded. Writes what has been counted: call it every
  // second.
  bool ready();
  // True: the event is counted, and needs no line of its own.
  bool counts(const AuditEvent& event);
  // Unless it returns yes, the answer must not leave now.
  Written try_write(const AuditEvent& event);
  // The same for a line that is not retried: if it is neither counted nor written, calls lost() and returns false.
  bool write(const AuditEvent& event);
  // Counts a request's line that will never be written. The next line reports how many there were.
  void lost();
  // After a rotation, continues in a new file of the same name; keeps the old one if that fails.
  void reopen();
  bool degraded() const { return degraded_; }
  // Degraded by a failure, or for longer than kSlow: nothing may be signed.
  bool stalled() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Sink {
    common::Output out;
    size_t unwritten = 0;  // bytes at the end of line_
  };
  Written start();
  bool write_counts(uint64_t now_ns);
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
  uint64_t lost_ = 0;  // lines lost since it became degraded
  std::unique_ptr<Tally> tally_;
};

}  // namespace keyd
