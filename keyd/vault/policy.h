// What may be signed with which key: pure functions, no I/O, no key bytes. Every reason to refuse that is in the
// request itself is here. Server refuses users, Service refuses requests that come too often, KeyReader refuses unsafe
// files.
//
// The rule: whatever a worker asks for, the result is usable only as a TLS handshake signature of the key's own role.
// The one exception is the hash of a TLS 1.2 client, which is opaque (RFC 5246 section 7.4.8): `allow_tls12_client` can
// forbid it.
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
  bool bind_remote = false;  // devices sign the bound kinds, and only those
};

// Before any key is read: does the role fit the kind, and is the kind allowed at all?
Verdict may_ask(const ipc::Sign& sign, const Rules& rules);
Verdict may_ask(const ipc::Lookup& lookup);
// With the key: is it the certificate's, does the scheme fit it, is the content exactly what the kind demands?
Verdict may_sign(const ipc::Sign& sign, const KeyInfo& key);

bool is_tls13(ipc::Kind kind);
bool is_bound(ipc::Kind kind);

}  // namespace keyd
