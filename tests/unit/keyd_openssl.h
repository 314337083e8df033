// OpenSSL as the independent witness of keyd's signatures. One file can't include its headers and wolfSSL's, so this
// interface includes neither; keyd_openssl_test.cpp has OpenSSL's side.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "ipc/protocol.h"

namespace witness {

using Bytes = std::span<const uint8_t>;

enum class Form { pkcs8, traditional, encrypted_pkcs8, encrypted_traditional, der, public_key };
inline constexpr char kPassphrase[] = "secret";  // of the encrypted forms

class Key {
 public:
  // "RSA:2048", "P-256", "secp256k1", "ED25519", "ED448", "X25519", "DSA". RSA and DSA keys are made once a process.
  static Key generate(const std::string& type);
  std::string text(Form form) const;
  std::string encrypted(const char* cipher, const char* hash) const;  // PBES2, with PBKDF2 over HMAC of that hash
  std::string spelled_out() const;                                    // an elliptic key with explicit parameters
  ipc::Spki spki() const;
  ipc::Spki compressed_spki() const;  // of an elliptic key: with its point compressed
  // True if `signature` is this key's over `message` (which the scheme hashes), by the rules of a TLS peer.
  bool verifies(ipc::Scheme scheme, Bytes message, Bytes signature) const;
  // The same for a message that is already hashed. Not for Ed25519.
  bool verifies_digest(ipc::Scheme scheme, Bytes digest, Bytes signature) const;
  // Big-endian, by OpenSSL's name of it (EVP_PKEY-RSA(7), EVP_PKEY-EC(7)): "n", "rsa-factor1", "priv" …; "pub" is the
  // uncompressed point of an elliptic key. Of Ed25519 the raw bytes: "priv", "pub".
  std::string number(const char* parameter) const;

 private:
  std::shared_ptr<void> key_;
};

// The SubjectPublicKeyInfo's hash, points uncompressed, of the private key that OpenSSL reads from `pem` and finds
// consistent; nullopt if OpenSSL does not.
std::optional<ipc::Spki> read_private_key(const std::string& pem, const std::string& passphrase);

std::string certificate(const Key& key);  // PEM, self-signed
std::string sha256_hex(const std::string& text);

}  // namespace witness
