#include "relayd/session/alert_advice.h"

namespace relayd {

std::string_view advice_on_device_alert(int code) {
  switch (code) {
    case 40:
    case 71: return "it has no cipher suite, group or signature scheme in common with the listener: update its TLS";
    case 42:
    case 46:
      return "it refuses the listener's certificate, often because the device connects to a name that the certificate "
             "does not have: add that name to listener.certfile, or correct the name in the device";
    case 43: return "it can't use the listener's certificate: its key or signature type may be too new for the device";
    case 45:
      return "it considers the listener's certificate expired: renew listener.certfile, or set the device's clock";
    case 48:
      return "it does not know the issuer of the listener's certificate: the device's CA file must contain the root, "
             "and listener.certfile must contain the intermediates after the listener's own certificate";
    case 70: return "it supports no version in listener.versions: update its TLS, or correct listener.versions";
    case 90: return "the device aborted the handshake itself";
    case 112: return "it asked for a server name that the listener does not have";
    case 120: return "it asked for an ALPN protocol that the listener does not have";
    default: return "";
  }
}

std::string_view advice_on_remote_alert(int code) {
  switch (code) {
    case 40:
    case 71:
      return "it accepts nothing that was offered (TLS 1.3, TLS 1.2 with ECDHE and AEAD), its certificate's key is not "
             "P-256, P-384, P-521, Ed25519 or RSA, or it wants a different type of certificate; the broker's log may "
             "say which";
    case 42:
    case 43:
    case 46: return "it can't use the device's certificate: the broker's log says why";
    case 44: return "the broker considers the device's certificate revoked: give the device a new one";
    case 45: return "the device's certificate has expired, by the broker's clock: renew it";
    case 48:
      return "it does not know the issuer of the device's certificate: the broker's CA file must contain the root, and "
             "the device must send the intermediates";
    case 49: return "the certificate is valid, but the broker does not admit this device";
    case 51: return "the device's key does not match its certificate, or the broker can't verify its signature";
    case 70:
      return "it supports no version in remote.versions: enable TLS 1.2 or 1.3 there, or correct remote.versions";
    case 112: return "it does not know the server name: set remote.server_name_indication to the broker's name";
    case 116: return "the device showed no certificate";
    case 120: return "it supports no protocol in remote.alpn";
    default: return "";
  }
}

std::string with_advice(const tls::End& end, std::string_view (*advice_on_alert)(int code)) {
  const std::string_view advice = end.alert ? advice_on_alert(end.alert_code) : std::string_view(end.advice);
  return advice.empty() ? end.text : end.text + "; " + std::string(advice);
}

}  // namespace relayd
