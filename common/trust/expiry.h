// When the certificates and CRLs of a configuration expire, for those who renew them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace trust {

struct Pem;

struct Expiry {
  // certificate: one that relayd shows, or an intermediate that it sends with it.
  enum class Kind : uint8_t { certificate, crl, ca };
  Kind kind{};
  std::string file;     // its path
  std::string subject;  // a CRL's issuer
  int64_t at = 0;       // unix seconds: notAfter, or nextUpdate
};

constexpr const char* name(Expiry::Kind kind) {
  switch (kind) {
    case Expiry::Kind::certificate: return "certificate";
    case Expiry::Kind::crl: return "crl";
    case Expiry::Kind::ca: return "ca";
  }
  return "?";
}

// Collects the entries of PEM files. Start-up only.
class Expiries {
 public:
  static constexpr size_t kMost = 128;

  // `pem` may be empty. Errors: as certificates_in() and crls_in(). Skips a CRL without nextUpdate.
  void add(const Pem& pem, Expiry::Kind kind);
  // Ordered by kind, then by time; the first kMost. Of entries with the same kind, file and subject, only the one that
  // expires first.
  std::vector<Expiry> take() &&;

 private:
  std::vector<Expiry> found_;
};

}  // namespace trust
