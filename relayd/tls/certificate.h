// Certificates as bytes: what a listener shows, and what a device showed.
#pragma once

#include <span>
#include <vector>

#include "ipc/protocol.h"

namespace relayd::tls {

// wolfSSL 5.7.2 (packaging/wolfssl/fetch, its last resort) begins no handshake without something that looks like a key.
#if defined(MQTT_RELAY_WOLFSSL_5_7)
inline constexpr bool kNeedsPublicKey = true;
#else
inline constexpr bool kNeedsPublicKey = false;
#endif

// A chain as it came over the wire: DER, leaf first, no root needed.
struct CertificateChain {
  std::vector<uint8_t> der;  // concatenated
  size_t leaf_size = 0;
  ipc::Spki spki{};  // of the leaf

  bool empty() const { return der.empty(); }
  std::span<const uint8_t> leaf() const { return std::span(der).first(leaf_size); }
  std::vector<std::span<const uint8_t>> certificates() const;
};

}  // namespace relayd::tls
