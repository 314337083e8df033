// Certificates' names and times as text for people. Inside common/trust only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/trust/openssl_ptr.h"

namespace trust {

// "CN=dev1,O=Acme" (RFC 4514), UTF-8, control characters escaped, at most 200 bytes; "" for an empty name.
std::string name_text(const X509_NAME* name);
// The subject; without one, the first DNS name or the serial number.
std::string subject_text(X509* certificate);

// Seconds since 1970; nullopt if X.509 does not allow the time.
std::optional<int64_t> unix_time(const ASN1_TIME* time);
// "2026-11-24 09:30:00 UTC"
std::string time_text(int64_t unix_seconds);

// At most `limit` bytes, cut between characters, with "…" if cut.
std::string bounded(std::string text, size_t limit);

}  // namespace trust
