// What may be signed with which key: pure functions, no I/O, no key bytes. Every reason to refuse that is in the
// request itself is here. Server refuses users, Service refuses requests that come too often, KeyReader refuses unsafe
// files.
//
// The rule: whatever a worker asks for, the result is usable only as a TLS handshake signature of the key's own role.
#pragma once

#include "ipc/protocol.h"

namespace keyd {

using common::tls::KeyType;
const char* name(KeyType type);

// The public facts about a key.
struct KeyInfo {
  KeyType type{};
  unsigned bits = 0;
  ipc::Spki spki{};
  ipc::Spki
      compressed{};  // the same key with its point compressed, as a certificate may have it (RFC 5480 section 2.2)
  bool is_of(const ipc::Spki& certificate) const { return certificate == spki || certificate == compressed; }
};

struct Verdict {
  ipc::Status status = ipc::Status::ok;
  const char* reason = "";  // for the audit
  explicit operator bool() const { return status == ipc::Status::ok; }
};

// The rules that the operator configures.
struct Rules {
  bool allow_tls12_client = true;
  bool bind_remote = false;       // in TLS 1.3 devices sign tls13_client_bound only
  bool require_presence = false;  // devices sign only for sessions whose lookup had a proof
  bool bind_device = false;       // the proof is by the device's own certificate, which the notary judges
};

// Before any key is read: does the role fit the kind, and is the kind allowed at all?
Verdict may_ask(const ipc::Sign& sign, const Rules& rules);
Verdict may_ask(const ipc::Lookup& lookup);
// With the key: is it the certificate's, do the schemes fit it, is the content exactly what the kind demands?
// `own_key`: the proof is by a key of the device's own (bind_device).
Verdict may_look_up(const ipc::Lookup& lookup, const KeyInfo& key, bool own_key = false);
Verdict may_sign(const ipc::Sign& sign, const KeyInfo& key);

bool is_tls13(ipc::Kind kind);

struct Message {
  uint8_t type = 0;
  std::span<const uint8_t> body{};
};
// Takes the first handshake message (RFC 8446 section 4). Type 0 says that it is cut off. No transcript has a message
// of that type, which is HelloRequest's (RFC 5246 section 7.4.1.1).
Message next_message(std::span<const uint8_t>& messages);
// nullptr, or why these are not a client's handshake messages before its CertificateVerify. Only two types are checked:
// the first message is ClientHello, or message_hash in TLS 1.3; the last one is Certificate (RFC 8446 section 4.4.3) or
// ClientKeyExchange (RFC 5246 section 7.4.8). No TLS 1.3 content begins like these messages.
const char* why_not_transcript(bool tls13, std::span<const uint8_t> messages);

}  // namespace keyd
