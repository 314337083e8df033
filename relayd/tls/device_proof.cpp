#include "relayd/tls/device_proof.h"

#include <cstdio>

#include "common/tls/handshake_signature.h"

namespace relayd::tls {
namespace {

constexpr uint8_t kCertificateVerify = 15;
constexpr size_t kHead = 4;           // of a message: type, length (RFC 8446 section 4)
constexpr size_t kSignatureHead = 4;  // scheme, length (section 4.4.3)

}  // namespace

// The last CertificateVerify is the device's: in TLS 1.3 the listener's comes before it.
DeviceProof::DeviceProof(ipc::Presence presence, std::vector<uint8_t> handshake) : messages_(std::move(handshake)) {
  size_t end = 0;
  for (size_t at = 0; messages_.size() - at >= kHead;) {
    const size_t next =
        at + kHead + (size_t{messages_[at + 1]} << 16 | size_t{messages_[at + 2]} << 8 | messages_[at + 3]);
    if (next > messages_.size()) break;
    if (messages_[at] == kCertificateVerify && next - at >= kHead + kSignatureHead) signed_ = at, end = next;
    at = next;
  }
  messages_.resize(end);
  if (messages_.empty()) return;
  scheme_ = static_cast<ipc::Scheme>(messages_[signed_ + kHead] << 8 | messages_[signed_ + kHead + 1]);
  if (common::tls::facts_of(scheme_).family == common::tls::Family::none) messages_.clear();
  else presence_ = presence;
}

DeviceProof DeviceProof::too_long() {
  DeviceProof proof;
  proof.too_long_ = true;
  return proof;
}

std::string DeviceProof::why_empty() const {
  if (too_long_)
    return "keyd takes at most 32 KiB of the device's handshake messages as proof of its presence, and these are more; "
           "shorten the device's certificate chain";
  if (scheme_ == ipc::Scheme{})
    return "keyd asks for a proof of the device's presence, but did not when the device connected; the device's next "
           "connection has one";
  char scheme[8];
  snprintf(scheme, sizeof scheme, "0x%04x", static_cast<unsigned>(scheme_));
  return std::string("keyd can't verify the device's signature, of TLS's scheme ") + scheme +
         ", as proof of its presence; have its certificate issued for a P-256, P-384, P-521, Ed25519 or ordinary RSA "
         "key";
}

ipc::Proof DeviceProof::view() const {
  if (empty()) return {};
  const std::span<const uint8_t> all = messages_;
  return {presence_, scheme_, all.subspan(signed_ + kHead + kSignatureHead), all.first(signed_)};
}

}  // namespace relayd::tls
