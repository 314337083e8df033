// Whether a chain of certificates is accepted: what OpenSSL's X509_verify_cert says of it, behind an exact cache.
//
// Devices' and the remote broker's chains are judged here, in a worker, in keyd's notary, by `check` and by `verify`:
// one code path, so that no two of them can differ. The anchors are what the trust file holds, nothing else; the
// certificates that a peer sends serve its own chain only. RFC 5280 along the whole path: purpose, name constraints,
// path lengths, CRLs. Security level 2 (SSL_CTX_set_security_level(3)): signatures with SHA-1 and RSA keys below 2048
// bits are refused, anchors' own signatures are not judged. On top of that, a leaf whose key TLS can't use here
// (leaf_key.h) is refused.
//
// Opens no file, asks for no system call but memory's, after construction too (libcrypto reads no openssl.cnf for us).
// One thread for each object. Costs of a chain that the cache does not know: 130 µs a certificate to parse, 100 µs a
// P-256 signature to verify; the costliest chain found within kMaxChainBytes took 24 ms (name constraints).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/trust/concern.h"
#include "common/trust/pem.h"
#include "common/trust/policy.h"

namespace trust {

struct Refusal {
  int code = 0;              // X509_V_ERR_*
  int position = -1;         // in the chain as it was built: 0 is the leaf; -1: none in particular
  std::string subject = {};  // of that certificate, RFC 4514; bounded
  std::string problem = {};  // one clause, to be read behind the subject: "expired on 2026-01-02 10:00:00 UTC"
  std::string advice = {};   // what mends it: "renew it"
  uint8_t alert = 42;        // RFC 8446 6.2

  // "certificate 1 (intermediate "CN=Int") expired on 2026-01-02 10:00:00 UTC"
  std::string text() const;
};

struct Verdict {
  std::optional<Refusal> refusal;
  // Unix seconds, [from, until): as long as no certificate, anchor or CRL begins or ceases to be valid. Of an
  // acceptance.
  int64_t from = 0, until = 0;
  bool accepted() const { return !refusal; }
};

class Validator {
 public:
  static constexpr size_t kMaxChain = 32;               // certificates that a peer may send
  static constexpr size_t kMaxChainBytes = 100 * 1024;  // all of them: OpenSSL's SSL_MAX_CERT_LIST_DEFAULT
  static constexpr size_t kMaxVerdicts = 4096;          // that are remembered

  // common::ConfigError if there is no usable anchor, or a CRL that can't be read. Expired CAs and CRLs are no error:
  // what they mean is judged at each validation, and concerns() tells.
  Validator(const Pem& anchors, const Pem& crls, Policy policy);
  ~Validator();
  Validator(Validator&&) noexcept;
  Validator& operator=(Validator&&) noexcept;

  // `chain` is DER, leaf first, then whatever was sent, in any order; `now` in unix seconds. Asks the cache first.
  Verdict validate(std::span<const std::span<const uint8_t>> chain, int64_t now);

  // At most 32, the worst first.
  std::vector<Concern> concerns(int64_t now) const;

  const Policy& policy() const;
  size_t anchors() const;  // usable ones
  size_t crls() const;

  struct Counts {
    uint64_t cached = 0, computed = 0;  // validations answered by the cache; by X509_verify_cert
  };
  Counts counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace trust
