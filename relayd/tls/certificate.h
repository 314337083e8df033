// Certificates as bytes: the chain that the listener sends, and the chain that a device sent.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/trust/names.h"
#include "ipc/protocol.h"

namespace relayd::tls {

// wolfSSL 5.7.2 (the last resort of packaging/wolfssl/fetch) starts no handshake without something that looks like a
// key.
#if defined(MQTT_RELAY_WOLFSSL_5_7)
inline constexpr bool kNeedsPublicKey = true;
#else
inline constexpr bool kNeedsPublicKey = false;
#endif

// A chain as received: DER, leaf first; the root may be absent.
struct CertificateChain {
  std::vector<uint8_t> der;  // concatenated
  size_t leaf_size = 0;
  ipc::Spki spki{};  // of the leaf

  bool empty() const { return der.empty(); }
  std::span<const uint8_t> leaf() const { return std::span(der).first(leaf_size); }
  std::vector<std::span<const uint8_t>> certificates() const;
};

// Which certificate it is, for the log: its subject (RFC 4514), serial number and SHA-256, the last two in hexadecimal.
struct Identity {
  std::string subject, serial, fingerprint;
};
Identity identity_of(const CertificateChain& chain);

// Of the leaf, which it parses.
trust::Names names_in(const CertificateChain& chain);

}  // namespace relayd::tls
