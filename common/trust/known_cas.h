// The CA certificates of accepted chains: parsed once, and their signatures verified once. A fleet's devices share a
// few CAs, so a new device costs one parsed certificate and one verified signature: its own. Inside common/trust only.
//
// Exact: no verdict differs from the one without this memory.
// - A certificate's parsed form depends on its bytes alone, and is found by their SHA-256. A validation changes nothing
//   in it. (OpenSSL would add missing parameters to a DSA key; the security level refuses such chains before.)
// - Whether a CA's signature is valid depends on that certificate and its issuer's alone. A pair is remembered only
//   after X509_verify_cert accepted a chain with both, and by identity: this memory owns both certificates.
//
// Never skipped: building the chain, trust, purposes, basic constraints, path lengths, name constraints, CRLs and their
// own signatures, the security level, every certificate's dates, and the leaf's signature. Leaves are never kept.
//
// One for each validator, so its anchors are fixed; it ends with the validator, at a reload. One thread.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "common/trust/openssl_ptr.h"
#include "common/trust/recent.h"

namespace trust {

class KnownCas {
 public:
  // Accepted chains alone decide what is kept. Typically 6 KiB for each certificate, 100 KiB for the largest ones.
  static constexpr size_t kMost = 128;            // certificates, and as many pairs of a certificate and its issuer
  static constexpr size_t kMostBytes = 4 * 1024;  // a larger certificate is not kept

  // `store` must outlive this object, whose address it keeps.
  explicit KnownCas(X509_STORE* store);
  KnownCas(const KnownCas&) = delete;

  // The parsed form of these very bytes, or null. Its owner may change nothing in it.
  Certificate find(const Sha256& hash);

  // Before X509_verify_cert: lets it skip the signatures that are known.
  void skip_known_signatures(X509_STORE_CTX* context);

  struct Sent {
    X509* certificate;
    Sha256 hash;
    size_t size;  // of the DER
  };
  // After X509_verify_cert, if the chain is accepted. `sent`: the certificates that came with the leaf.
  void remember(X509_STORE_CTX* context, std::span<const Sent> sent);

  uint64_t signatures() const { return signatures_; }

 private:
  struct Issued {
    const X509 *subject, *issuer;
    bool operator==(const Issued&) const = default;
  };
  struct HashOfIssued {
    size_t operator()(const Issued& pair) const noexcept {
      return std::hash<const X509*>()(pair.subject) * 31 + std::hash<const X509*>()(pair.issuer);
    }
  };
  struct Pair {
    Certificate subject, issuer;  // owned, so that no other certificate gets the address of either
  };

  static int verify(X509_STORE_CTX* context);
  bool knows_signatures(X509_STORE_CTX* context, const STACK_OF(X509) * chain) noexcept;

  X509_STORE_CTX_verify_fn verify_of_openssl_ = nullptr;
  Recent<Sha256, Certificate> parsed_{kMost};
  Recent<Issued, Pair, HashOfIssued> signed_{kMost};
  uint64_t signatures_ = 0;
};

}  // namespace trust
