// The audit: one JSON line for every question, written before its answer leaves.
//
// Each line carries the SHA-256 of the line before it ("prev", zeros in a run's first), so that a line that was
// removed, changed or moved shows. Lines are always whole: if one could be written only in part, its rest goes
// first as soon as writing works again. From a failure until then the audit is degraded, and nothing is to be
// signed. Client ids come from the network and are escaped; no line holds a key or a signature. One thread.
#pragma once

#include <sys/types.h>

#include <string>

#include "ipc/protocol.h"

namespace keyd {

struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  uint16_t worker = 0;  // as the peer says in HELLO
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

class Audit {
 public:
  // Writes the run's first line ("start") to `fd`, which stays the caller's. Throws std::runtime_error if it can't.
  explicit Audit(int fd);
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;

  // Whether a line can be written as far as is known; when degraded, tries. Ask before anything that must be
  // audited.
  bool ready();
  // False: the line is not written, the answer must not say more than "internal". Blocks while the journal is slow:
  // by design, as nothing may be signed faster than it is recorded.
  bool write(const AuditEvent& event);
  bool degraded() const { return degraded_; }

 private:
  bool append(std::string line);
  bool flush();
  int fd_;
  uint64_t sequence_ = 0;
  std::string previous_;  // hash of the last line, hexadecimal
  std::string rest_;      // of a line that was written in part
  bool degraded_ = false;
  uint64_t lost_ = 0;  // lines that could not be written since it is degraded
};

}  // namespace keyd
