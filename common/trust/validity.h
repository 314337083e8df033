// When a certificate is valid (RFC 5280 section 4.1.2.5), for those who show it. Reads nothing else of it: to parse a
// whole certificate takes OpenSSL 3.0 up to 110 µs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace trust {

struct Validity {
  int64_t from = 0, until = 0;  // unix time, in seconds; both belong to it
};

// `der`: one certificate. nullopt: it is none, or X.509 does not allow its dates.
std::optional<Validity> validity_of(std::span<const uint8_t> der);

// "has expired on 2026-11-24 09:30:00 UTC", "is not valid before …"; "": it is valid now.
std::string why_not_valid(const Validity& validity, int64_t now);

}  // namespace trust
