#include "relayd/session/alert_advice.h"

namespace relayd {

using tls::Alert;

std::string_view advice_on_device_alert(Alert alert) {
  switch (alert) {
    case Alert::handshake_failure:
    case Alert::insufficient_security:
      return "it has no cipher suite, group or signature scheme in common with the listener: update its TLS";
    case Alert::bad_certificate:
    case Alert::certificate_unknown:
      return "it refuses the listener's certificate, often because the device connects to a name that the certificate "
             "does not have: add that name to listener.certfile, or correct the name in the device";
    case Alert::unsupported_certificate:
      return "it can't use the listener's certificate: its key or signature type may be too new for the device";
    case Alert::certificate_expired:
      return "it considers the listener's certificate expired: renew listener.certfile, or set the device's clock";
    case Alert::unknown_ca:
      return "it does not know the issuer of the listener's certificate: the device's CA file must contain the root, "
             "and listener.certfile must contain the intermediates after the listener's own certificate";
    case Alert::protocol_version:
      return "it supports no version in listener.versions: update its TLS, or correct listener.versions";
    case Alert::user_canceled: return "the device aborted the handshake itself";
    case Alert::unrecognized_name: return "it asked for a server name that the listener does not have";
    case Alert::no_application_protocol: return "it asked for an ALPN protocol that the listener does not have";
    default: return "";
  }
}

std::string_view advice_on_remote_alert(Alert alert) {
  switch (alert) {
    case Alert::handshake_failure:
    case Alert::insufficient_security:
      return "it accepts nothing that was offered (TLS 1.3, TLS 1.2 with ECDHE and AEAD), its certificate's key is not "
             "P-256, P-384, P-521, Ed25519 or RSA, or it wants a different type of certificate; the broker's log may "
             "say which";
    case Alert::bad_certificate:
    case Alert::unsupported_certificate:
    case Alert::certificate_unknown: return "it can't use the device's certificate: the broker's log says why";
    case Alert::certificate_revoked:
      return "the broker considers the device's certificate revoked: give the device a new one";
    case Alert::certificate_expired: return "the device's certificate has expired, by the broker's clock: renew it";
    case Alert::unknown_ca:
      return "it does not know the issuer of the device's certificate: the broker's CA file must contain the root, and "
             "the device must send the intermediates";
    case Alert::access_denied: return "the certificate is valid, but the broker does not admit this device";
    case Alert::decrypt_error:
      return "the device's key does not match its certificate, or the broker can't verify its signature";
    case Alert::protocol_version:
      return "it supports no version in remote.versions: enable TLS 1.2 or 1.3 there, or correct remote.versions";
    case Alert::unrecognized_name:
      return "it does not know the server name: set remote.server_name_indication to the broker's name";
    case Alert::certificate_required: return "the device showed no certificate";
    case Alert::no_application_protocol: return "it supports no protocol in remote.alpn";
    default: return "";
  }
}

std::string_view advice_on_local_alert(Alert alert) {
  switch (alert) {
    case Alert::handshake_failure:
    case Alert::insufficient_security:
      return "it accepts nothing that was offered (TLS 1.3, TLS 1.2 with ECDHE and AEAD), or it wants a client "
             "certificate; its log may say which";
    case Alert::bad_certificate:
    case Alert::unknown_ca:
    case Alert::certificate_required:
      return "it wants a client certificate that it accepts: set local.tls.certfile, and local_keyfile of keyd, or "
             "renew "
             "them; its log may say more";
    case Alert::protocol_version:
      return "it supports no version in local.tls.versions: enable TLS 1.2 or 1.3 there, or correct local.tls.versions";
    case Alert::unrecognized_name:
      return "it does not know the server name: set local.tls.server_name_indication to the broker's name";
    case Alert::no_application_protocol: return "it supports no protocol in local.tls.alpn";
    default: return "";
  }
}

std::string with_advice(const tls::End& end, std::string_view (*advice_on_alert)(Alert)) {
  const std::string_view advice = end.alert ? advice_on_alert(*end.alert) : std::string_view(end.advice);
  return advice.empty() ? end.text : end.text + "; " + std::string(advice);
}

}  // namespace relayd
