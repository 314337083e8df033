#include "relayd/tls/error_words.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

namespace relayd::tls {
namespace {

std::string versions(bool of_device) {
  return of_device
             ? "offers no TLS version of listener.versions, and TLS 1.1 and older are never spoken: update its TLS"
             : "speaks no TLS version of remote.versions, and TLS 1.1 and older are never spoken here: let it "
               "speak TLS 1.2 or 1.3";
}

}  // namespace

std::string in_plain_words(int wolf_error, bool of_device) {
  switch (wolf_error) {
    case VERSION_ERROR: return versions(of_device);
    case UNSUPPORTED_PROTO_VERSION:
      return "says that it fell back to an older TLS than it has (RFC 7507), and TLS 1.3 is spoken here: its first try "
             "failed, or was made to fail on the way";
    case NO_PEER_VERIFY: return "showed a certificate, but did not prove that it has its key (no CertificateVerify)";
    case NO_PEER_CERT:
      return of_device
                 ? "showed no certificate, and fail_if_no_peer_cert is true: give it its certificate and key; if it "
                   "has "
                   "them, the key is of a kind that is not supported here (Ed448, DSA, other curves than P-256, P-384 "
                   "and P-521)"
                 : "showed no certificate";
    case MATCH_SUITE_ERROR:
    case UNSUPPORTED_SUITE:
    case BAD_KEY_SHARE_DATA:
    case ECC_CURVE_ERROR:
      return std::string(
                 "has no cipher suite, key exchange or signature scheme in common with this side (TLS 1.3, or TLS 1.2 "
                 "with ECDHE and AES-GCM or ChaCha20") +
             (of_device ? "; signatures as listener.certfile's key makes them): update its TLS" : ")");
    case UNKNOWN_ALPN_PROTOCOL_NAME_E:
      return of_device ? "asks for a protocol by ALPN that is not spoken here"
                       : "has none of the protocols in remote.alpn";
    case VERIFY_SIGN_ERROR:
    case SIG_VERIFY_E:
    case VERIFY_CERT_ERROR:
      return "signed with a key that is not its certificate's: its certificate and its key don't belong together";
    case DECRYPT_ERROR:
    case VERIFY_MAC_ERROR:
    case AES_GCM_AUTH_E:
    case MAC_CMP_FAILED_E:
      return "sent a record that can't be decrypted: its TLS is broken, or something on the way changes bytes";
    case MEMORY_E: return "could not be served: no memory is left";
    default: break;
  }
  const char* reason = wolfSSL_ERR_reason_error_string(static_cast<unsigned long>(wolf_error));
  return reason ? reason : "TLS error " + std::to_string(wolf_error);
}

}  // namespace relayd::tls
