// Parses a private key's DER: PKCS#8 (RFC 5208, RFC 5958), SEC1 (RFC 5915) or PKCS#1 (RFC 8017), recognised by its
// content, not by its label. wolfCrypt can't be trusted to recognise keys: it takes a secp256k1 key for P-256 and
// X25519 for Ed25519, and refuses Ed25519 keys with attributes.
//
// Returns views into the caller's bytes and decrypts in place.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "common/der.h"
#include "keyd/vault/policy.h"

namespace keyd {

namespace der = common::der;

struct KeyParts {
  KeyType type{};
  const char* name = "";  // with its article, for problems
  unsigned rsa_bits = 0;
  der::Bytes secret;  // RSA: RSAPrivateKey; ECDSA: the private number, big-endian; Ed25519: the 32 bytes of RFC 8032
  // The public key that the file states, as in a SubjectPublicKeyInfo; empty if it states none. PKCS#8 and the SEC1
  // inside it can both state one.
  std::array<der::Bytes, 2> stated;
};

// Returns nullopt and sets `problem` if it is not an allowed key.
std::optional<KeyParts> take_apart(der::Bytes der, std::string& problem);

// The PKCS#8 in an EncryptedPrivateKeyInfo: PBES2 with PBKDF2 and AES-CBC (RFC 8018). Returns an empty span and sets
// `problem` on failure.
std::span<uint8_t> decrypt_pkcs8(std::span<uint8_t> der, std::string_view passphrase, std::string& problem);

}  // namespace keyd
