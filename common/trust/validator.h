// Decides whether a chain of certificates is accepted: OpenSSL's X509_verify_cert behind an exact cache.
//
// Workers, keyd's notary, `check` and `verify` all validate the chains of devices and of the remote broker with this
// code, so that no two of them can differ. Only the trust file's certificates are anchors; the certificates that a peer
// sends are used only for its own chain. RFC 5280 applies along the whole path: purpose, name constraints, path
// lengths, CRLs. Security level 2 (SSL_CTX_set_security_level(3)) refuses signatures with SHA-1 and RSA keys below 2048
// bits; anchors' own signatures are not checked. A leaf whose key this product's TLS can't use (leaf_key.h) is refused
// as well.
//
// Opens no file and makes no system call except for memory, in construction too (libcrypto reads no openssl.cnf here).
// One thread for each object. Two memories end with the validator, at a reload: verdicts of earlier chains
// (verdict_cache.h; at most kMaxVerdicts of 120 bytes, 4 MiB) and the CA certificates of accepted chains (known_cas.h;
// at most 128, typically 1 MiB). A chain seen before costs 1 µs. A new device below known CAs costs 130 µs (100 with
// OpenSSL 3.5), of them 60 to verify its P-256 signature; each unknown certificate above it costs as much again. The
// costliest chain found within kMaxChainBytes took 24 ms (name constraints).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/tls/alert.h"
#include "common/trust/concern.h"
#include "common/trust/pem.h"
#include "common/trust/policy.h"

namespace trust {

// Why a chain was refused, for counting.
enum class Doubt : uint8_t { other, expired, revoked, unknown_ca, revocation_unknown };
Doubt doubt_of(int code);  // X509_V_ERR_*

struct Refusal {
  int code = 0;              // X509_V_ERR_*
  int position = -1;         // in the chain as built: 0 is the leaf; -1: no particular certificate
  std::string subject = {};  // of that certificate, RFC 4514; bounded
  std::string problem = {};  // one clause that follows the subject: "expired on 2026-01-02 10:00:00 UTC"
  std::string advice = {};   // how to fix it: "renew it"
  common::tls::Alert alert = common::tls::Alert::bad_certificate;

  // "certificate 1 (intermediate "CN=Int") expired on 2026-01-02 10:00:00 UTC"
  std::string text() const;
};

struct Verdict {
  std::optional<Refusal> refusal;
  // Only for an acceptance: how long it holds, in unix seconds, [from, until). No certificate, anchor or CRL becomes
  // valid or expires within.
  int64_t from = 0, until = 0;
  bool accepted() const { return !refusal; }
};

class Validator {
 public:
  static constexpr size_t kMaxChain = 32;               // certificates that a peer may send
  static constexpr size_t kMaxChainBytes = 100 * 1024;  // in all: OpenSSL's SSL_MAX_CERT_LIST_DEFAULT
  static constexpr size_t kMaxVerdicts = 32 * 1024;     // in the cache, 120 bytes each

  // Throws common::ConfigError if there is no usable anchor, or a CRL that can't be read. Expired CAs and CRLs are not
  // an error: each validation takes them into account, and concerns() reports them.
  Validator(const Pem& anchors, const Pem& crls, Policy policy);
  ~Validator();
  Validator(Validator&&) noexcept;
  Validator& operator=(Validator&&) noexcept;

  // `chain` is DER: the leaf first, then the other certificates that were sent, in any order. `now` is in unix seconds.
  // Looks in the cache first.
  Verdict validate(std::span<const std::span<const uint8_t>> chain, int64_t now);

  // At most 32 concerns, the worst first.
  std::vector<Concern> concerns(int64_t now) const;

  size_t crls() const;

  struct Counts {
    uint64_t cached = 0, computed = 0;  // validations answered by the cache, and by X509_verify_cert
    uint64_t parsed = 0;                // certificates
    uint64_t signatures = 0;            // of certificates, without those that were known; CRLs' are not counted
  };
  Counts counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace trust
