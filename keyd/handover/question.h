// What the vault and its notary say to each other: one datagram each way on a socket pair that they inherited.
//
// The notary is a keyd process without keys. It parses bytes from the network, so that the process with the keys need
// not, and answers two questions. About a SIGN: is this transcript a handshake of the named device with the configured
// remote broker (bind_remote)? About a LOOKUP: does this device's own handshake show a certificate that is valid and
// issued for the client id, and its signature (bind_device)? The vault uses only the answer, and hashes the messages
// itself. An attacker in the notary can therefore loosen `bind_remote` and `bind_device`, but can't get a key, and
// can't have anything but a transcript signed.
#pragma once

#include <cstdint>

#include "common/fd.h"
#include "ipc/protocol.h"

namespace keyd {

// Followed by the client id, the device's signature, and the handshake messages, at most ipc::kMaxTranscript bytes.
// Both ends come from one build, so there is no byte order and no version.
struct Question {
  uint64_t job = 0;          // numbered by the vault; the answer repeats it
  ipc::Kind kind{};          // of a SIGN: tls13_client_bound or tls12_client
  ipc::Presence presence{};  // of a LOOKUP, as in its proof; none: this is about a SIGN
  ipc::Scheme scheme{};      // of the signature
  ipc::Spki device{};        // of a SIGN
  uint16_t client_id_size = 0, signature_size = 0;
};

struct NotaryAnswer {
  uint64_t job = 0;              // 0: the notary's first word: it can answer, or `problem` says why not
  uint16_t transcript_hash = 0;  // of a SIGN in TLS 1.3: bytes of the cipher suite's hash, 32 or 48; otherwise 0
  bool wrong_setting = false;    // first word only: the operator must correct a setting, as `problem` says
  char problem[1013]{};          // empty: yes. NUL-terminated, for the audit
};

// The vault's ends. A byte to the guardian: kill the notary, because it does not answer. From the guardian: a datagram
// for each notary that has died. It closes its end only by dying.
struct NotaryEnds {
  common::Fd notary, guardian;
};

}  // namespace keyd
