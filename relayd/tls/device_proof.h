// A device's handshake with the listener, kept until keyd has looked up its key: keyd's proof that the device is
// present (ipc::Proof).
#pragma once

#include <string>
#include <vector>

#include "ipc/protocol.h"

namespace relayd::tls {

class DeviceProof {
 public:
  DeviceProof() = default;  // empty
  // `handshake`: all messages of a handshake with a device that sent a certificate, as wolfSSL hashed them. Empty if
  // they hold no CertificateVerify, or one of a scheme that the protocol does not have.
  DeviceProof(ipc::Presence presence, std::vector<uint8_t> handshake);
  // The messages exceed what keyd accepts (ipc::kMaxTranscript): empty, for this reason.
  static DeviceProof too_long();

  bool empty() const { return presence_ == ipc::Presence::none; }
  std::string why_empty() const;  // and what to do, for the log
  ipc::Proof view() const;        // of this object; presence none if it is empty

 private:
  ipc::Presence presence_ = ipc::Presence::none;
  bool too_long_ = false;
  ipc::Scheme scheme_{};           // set, if there is a CertificateVerify
  std::vector<uint8_t> messages_;  // up to and including the device's CertificateVerify
  size_t signed_ = 0;              // bytes before it
};

}  // namespace relayd::tls
