// One parsed private key, and the only parser of private keys. It does not change, so threads share it.
//
// Accepts PEM: PKCS#8, also encrypted (PBES2 with PBKDF2 and AES-CBC, RFC 8018), SEC1 ("EC PRIVATE KEY") and PKCS#1
// ("RSA PRIVATE KEY"), exactly one private key in the text; certificates and EC parameters beside it are ignored. RSA
// of 2048 to 4096 bits, ECDSA on P-256, P-384, P-521, Ed25519. The public half is computed from the private one,
// whatever the file states. Key bytes exist only in secure slots, and never in an error.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "common/tls/wolfcrypt.h"
#include "keyd/vault/policy.h"
#include "keyd/vault/secure_memory.h"

namespace keyd {

struct KeyParts;

class PrivateKey {
 public:
  // nullptr if `pem` is not such a key: `problem` then says what was found and what to do, or is kNoLockedMemory. Needs
  // one slot more than it keeps. `passphrase` is for encrypted keys; it may be empty. With nullopt, an encrypted key is
  // not opened, and the problem is kSealed. Precondition: `problem` is empty.
  static std::shared_ptr<PrivateKey> parse(std::span<const uint8_t> pem, std::optional<std::string_view> passphrase,
                                           SecureSlots& slots, std::string& problem);
  static constexpr char kSealed[] = "it is encrypted";

  ~PrivateKey();
  PrivateKey& operator=(const PrivateKey&) = delete;
  // For one operation, because wolfCrypt writes to a key that it uses. In a slot of wolfCrypt's; nullptr: none is free.
  std::shared_ptr<PrivateKey> copy() const;

  const KeyInfo& info() const { return info_; }
  template <typename Key>
  Key& as() {
    return std::get<Key>(key_);
  }

 private:
  PrivateKey() = default;
  PrivateKey(const PrivateKey&) = default;
  template <typename... From>
  static std::shared_ptr<PrivateKey> make(SecureSlots& slots, const From&... from);
  template <typename Key>
  const char* decode_as(const KeyParts& parts);  // "", or what is wrong with it
  std::string decode(const KeyParts& parts);

  KeyInfo info_;
  std::variant<std::monostate, RsaKey, ecc_key, ed25519_key> key_;
};

}  // namespace keyd
