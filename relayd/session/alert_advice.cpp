#include "relayd/session/alert_advice.h"

namespace relayd {

std::string_view advice_on_device_alert(int code) {
  switch (code) {
    case 40:
    case 71: return "it has no cipher suite, group or signature scheme in common with the listener: update its TLS";
    case 42:
    case 46:
      return "it refuses the listener's certificate, often as it is for another name than the device connects to: give "
             "listener.certfile that name, or the device the right one";
    case 43: return "it can't use the listener's certificate: perhaps its kind of key or signature is too new for it";
    case 45:
      return "it takes the listener's certificate for expired: renew listener.certfile, or set the device's clock";
    case 48:
      return "it does not know who issued the listener's certificate: its CA file must have that root, and "
             "listener.certfile the intermediates behind the listener's own certificate";
    case 70: return "it speaks none of listener.versions: update its TLS, or correct listener.versions";
    case 90: return "the device gave up by itself";
    case 112: return "it asks for another server name than it gets";
    case 120: return "it wants a protocol by ALPN that the listener does not have";
    default: return "";
  }
}

std::string_view advice_on_remote_alert(int code) {
  switch (code) {
    case 40:
    case 71:
      return "it takes nothing of what is offered (TLS 1.3, TLS 1.2 with ECDHE and AEAD), has a certificate whose key "
             "is "
             "neither P-256, P-384, P-521, Ed25519 nor RSA, or wants a certificate of another kind; its own log may "
             "say "
             "which";
    case 42:
    case 43:
    case 46: return "it can't use the device's certificate: its own log says why";
    case 44: return "the device's certificate has been revoked there: give the device a new one";
    case 45: return "the device's certificate has expired, by the broker's clock: renew it";
    case 48:
      return "it does not know who issued the device's certificate: the broker's CA file must have that root, and the "
             "chain that the device shows the intermediates";
    case 49: return "the certificate is fine, but the broker does not let this device in";
    case 51: return "the device's key is not the one of its certificate, or the broker can't verify its signature";
    case 70: return "it speaks none of remote.versions: let it speak TLS 1.2 or 1.3, or correct remote.versions";
    case 112: return "it knows no such name: set remote.server_name_indication to the broker's";
    case 116: return "the device showed no certificate";
    case 120: return "it has none of the protocols in remote.alpn";
    default: return "";
  }
}

std::string with_advice(std::string text, std::string_view advice) {
  if (!advice.empty()) text.append("; ").append(advice);
  return text;
}

}  // namespace relayd
