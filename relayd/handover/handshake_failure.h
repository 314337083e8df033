// Why a device's TLS handshake failed, as the counters say it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace relayd {

enum class HandshakeFailure : uint8_t {
  certificate_expired,  // the device's, or a CA's of its chain
  certificate_revoked,
  unknown_ca,            // no CA of cacertfile issued it
  revocation_unknown,    // no valid CRL says whether it is revoked
  no_certificate,        // the device showed none
  certificate_other,     // the chain was refused for anything else
  listener_certificate,  // the device refused the listener's certificate, by an alert
  nothing_in_common,     // no TLS version, cipher suite or key exchange
  not_tls,               // the peer spoke another protocol; kNotTls says which
  timeout,               // handshake_timeout
  closed,                // the peer left without an alert
  keyd,                  // keyd did not sign
  other,
};
inline constexpr std::array<const char*, 13> kHandshakeFailures{
    "certificate_expired",
    "certificate_revoked",
    "unknown_ca",
    "revocation_unknown",
    "no_certificate",
    "certificate_other",
    "listener_certificate",
    "nothing_in_common",
    "not_tls",
    "timeout",
    "closed",
    "keyd",
    "other",
};
static_assert(static_cast<size_t>(HandshakeFailure::other) + 1 == kHandshakeFailures.size());

}  // namespace relayd
