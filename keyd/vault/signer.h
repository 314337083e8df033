// Makes the signature: composes the content, hashes it and signs it. Refuses nothing: policy.h has decided before.
//
// RSA signatures are verified before they leave: one faulty CRT computation would give the key away (Boneh, DeMillo,
// Lipton 1997), and wolfCrypt does not check them itself. Each thread has its own Signer with its own random generator.
// wolfCrypt writes to a key that it uses, so each operation has a copy of its own, and threads share a key without
// waiting for each other.
#pragma once

#include <optional>

#include "ipc/protocol.h"
#include "keyd/vault/private_key.h"

namespace keyd {

using SignatureBuffer = std::array<uint8_t, ipc::kMaxSignature>;

class Signer {
 public:
  Signer();  // throws std::runtime_error if there is no randomness
  ~Signer();
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;

  // Bytes written to `out`; nullopt if wolfCrypt failed, and `out` is then wiped. Precondition: policy's may_sign.
  std::optional<size_t> sign(const PrivateKey& key, const ipc::Sign& request, SignatureBuffer& out);
  // Whether `signature` is one of `message` by this key. Precondition: the scheme fits the key.
  bool verifies(const PrivateKey& key, ipc::Scheme scheme, std::span<const uint8_t> message,
                std::span<const uint8_t> signature);

 private:
  std::optional<size_t> ecdsa(ecc_key& key, std::span<const uint8_t> digest, SignatureBuffer& out);
  std::optional<size_t> rsa(RsaKey& key, bool pss, wc_HashType hash, std::span<const uint8_t> digest,
                            SignatureBuffer& out);
  WC_RNG random_;
};

}  // namespace keyd
