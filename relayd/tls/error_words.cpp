#include "relayd/tls/error_words.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

namespace relayd::tls {
namespace {

std::string versions(bool of_device) {
  return of_device
             ? "offers no TLS version of listener.versions; relayd never speaks TLS 1.1 or older: update its TLS"
             : "speaks no TLS version of remote.versions; relayd never speaks TLS 1.1 or older: enable TLS 1.2 or 1.3 "
               "there";
}

}  // namespace

Fault fault_of(int wolf_error) {
  switch (wolf_error) {
    case VERSION_ERROR:
    case MATCH_SUITE_ERROR:
    case UNSUPPORTED_SUITE:
    case BAD_KEY_SHARE_DATA:
    case ECC_CURVE_ERROR:
    case UNKNOWN_ALPN_PROTOCOL_NAME_E: return Fault::nothing_in_common;
    case NO_PEER_CERT: return Fault::no_certificate;
    default: return Fault::other;
  }
}

std::string in_plain_words(int wolf_error, bool of_device) {
  switch (wolf_error) {
    case VERSION_ERROR: return versions(of_device);
    case UNSUPPORTED_PROTO_VERSION:
      return "fell back to an older TLS version (RFC 7507), although both sides support a newer one: its first try "
             "failed, or something on the way made it fail";
    case NO_PEER_VERIFY:
      return "showed a certificate, but did not prove that it has the certificate's key (no CertificateVerify)";
    case NO_PEER_CERT:
      return of_device
                 ? "showed no certificate, and fail_if_no_peer_cert is true: install a certificate and key in it; if "
                   "it has both, relayd does not support the type of its key (Ed448, DSA, or a curve other than "
                   "P-256, P-384 and P-521)"
                 : "showed no certificate";
    case MATCH_SUITE_ERROR:
    case UNSUPPORTED_SUITE:
    case BAD_KEY_SHARE_DATA:
    case ECC_CURVE_ERROR:
      return std::string(
                 "has no cipher suite, key exchange or signature scheme in common with this side (TLS 1.3, or TLS 1.2 "
                 "with ECDHE and AES-GCM or ChaCha20") +
             (of_device ? "; the signature scheme must suit listener.certfile's key): update its TLS" : ")");
    case UNKNOWN_ALPN_PROTOCOL_NAME_E:
      return of_device ? "asks for an ALPN protocol that the listener does not have"
                       : "supports no protocol in remote.alpn";
    case VERIFY_SIGN_ERROR:
    case SIG_VERIFY_E:
    case VERIFY_CERT_ERROR:
      return "signed with a key that does not match its certificate: install the key and certificate that belong "
             "together";
    case DECRYPT_ERROR:
    case VERIFY_MAC_ERROR:
    case AES_GCM_AUTH_E:
    case MAC_CMP_FAILED_E:
      return "sent a record that can't be decrypted: its TLS is broken, or something on the way changes bytes";
    case MEMORY_E: return "could not be served: relayd is out of memory";
    default: break;
  }
  const char* reason = wolfSSL_ERR_reason_error_string(static_cast<unsigned long>(wolf_error));
  return reason ? reason : "TLS error " + std::to_string(wolf_error);
}

}  // namespace relayd::tls
