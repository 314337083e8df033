// OpenSSL as the independent witness of keyd's signatures. Its headers and wolfSSL's can't be read together, so this
// interface has neither; keyd_openssl_test.cpp has the other side.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "ipc/protocol.h"

namespace witness {

using Bytes = std::span<const uint8_t>;

enum class Form { pkcs8, traditional, encrypted_pkcs8, encrypted_aes192, encrypted_traditional, der, public_key };
inline constexpr char kPassphrase[] = "secret";  // of the encrypted forms

class Key {
 public:
  // "RSA:2048", "P-256", "secp256k1", "ED25519", "ED448", "X25519", "DSA". RSA and DSA keys are made once a process.
  static Key generate(const std::string& type);
  std::string text(Form form) const;
  ipc::Spki spki() const;
  // Whether `signature` is this key's over `message` (which the scheme hashes), as a TLS peer would judge.
  bool verifies(ipc::Scheme scheme, Bytes message, Bytes signature) const;
  // The same where the message comes hashed. Not for Ed25519.
  bool verifies_digest(ipc::Scheme scheme, Bytes digest, Bytes signature) const;

 private:
  std::shared_ptr<void> key_;
};

std::string certificate(const Key& key);  // PEM, self-signed
std::string sha256_hex(const std::string& text);

}  // namespace witness
