// A private key's DER taken apart: PKCS#8 (RFC 5208, RFC 5958), SEC1 (RFC 5915), PKCS#1 (RFC 8017), by what it is and
// not by its label. wolfCrypt does not decide what a key is: it takes a secp256k1 key for P-256 and X25519 for Ed25519,
// and refuses Ed25519 keys with attributes.
//
// Views into the caller's bytes; decryption is in place.
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
  // What the file says is the public key, as in a SubjectPublicKeyInfo; empty where it says nothing. PKCS#8 has a place
  // for it, and so has the SEC1 in it.
  std::array<der::Bytes, 2> stated;
};

// Nothing, and `problem`, if it is no key that is allowed.
std::optional<KeyParts> take_apart(der::Bytes der, std::string& problem);

// The PKCS#8 in an EncryptedPrivateKeyInfo: PBES2 with PBKDF2 and AES-CBC (RFC 8018). Empty, and `problem`, if it can't
// be had.
std::span<uint8_t> decrypt_pkcs8(std::span<uint8_t> der, std::string_view passphrase, std::string& problem);

}  // namespace keyd
