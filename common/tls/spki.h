// The SubjectPublicKeyInfo of a certificate (RFC 5280 section 4.1): what it has in common with its private key, and how
// keyd identifies a key.
//
// This code only finds it; common/trust decides which certificates are trusted.
#pragma once

#include <array>
#include <optional>

#include "common/der.h"

namespace common::tls {

// Its DER as a view into `certificate`; empty if it is not in its place.
inline der::Bytes spki_in(der::Bytes certificate) {
  der::Bytes content = der::take(certificate, der::kSequence), tbs = der::take(content, der::kSequence);
  der::take(tbs, der::constructed(0));                         // the version, unless it is 1
  der::take(tbs, der::kInteger);                               // serial number
  for (int i = 0; i < 4; i++) der::take(tbs, der::kSequence);  // signature, issuer, validity, subject
  const der::Bytes from = tbs;
  return der::take(tbs, der::kSequence).empty() ? der::Bytes() : from.first(from.size() - tbs.size());
}

// Its SHA-256 (RFC 7469 section 2.4); nullopt if there is none.
std::optional<std::array<uint8_t, 32>> spki_hash(der::Bytes certificate);

}  // namespace common::tls
