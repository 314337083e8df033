// What the vault and its notary say to each other: one datagram each way on a socket pair that they inherited.
//
// The notary is a process of keyd without keys. It parses bytes from the network, so that the process with the keys
// need not: is this transcript a handshake of the named device with the configured remote broker? The vault takes only
// the answer from it and hashes the transcript itself: an attacker in the notary can loosen `bind_remote`, but gets no
// key, and has nothing signed but a transcript.
#pragma once

#include <cstdint>

#include "ipc/protocol.h"

namespace keyd {

// Followed by the transcript, at most ipc::kMaxTranscript bytes. Both ends are of one build: no byte order, no version.
struct Question {
  uint64_t job = 0;  // the vault's number of it; the answer carries it back
  ipc::Kind kind{};  // tls13_client_bound or tls12_client_bound
  ipc::Spki device{};
};

struct NotaryAnswer {
  uint64_t job = 0;  // 0: no answer, but that it can answer, or why not (then transcript_hash 1: a setting's fault)
  uint16_t transcript_hash = 0;  // TLS 1.3: bytes of the cipher suite's hash, 32 or 48; otherwise 0
  char problem[1014]{};          // empty: it is such a handshake. NUL-terminated, for the audit
};

}  // namespace keyd
