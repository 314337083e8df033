// Decides whether a device's own handshake with the listener shows that the device with this client id is there
// (bind_device): its certificate chains to the configured authorities now, as in a worker (trust::Validator); a name in
// it is the client id; and its signature covers this handshake with that certificate's key. The vault itself sees to
// it that the handshake is a fresh one with this gateway's listener (vault/presence.h).
//
// So the key that the device holds may be another than the one that signs for it. Without CRLs: who is revoked loses
// the key.
#pragma once

#include <string>
#include <vector>

#include "common/trust/validator.h"
#include "keyd/handover/notary_settings.h"
#include "keyd/handover/question.h"
#include "keyd/notary/transcript.h"

namespace keyd {

class DeviceVerifier {
 public:
  // Throws common::ConfigError, for the operator, if no certificate of the authorities can be used.
  explicit DeviceVerifier(const BoundDevice& settings);

  // "", or what is wrong, for the audit. `messages`: as in ipc::Proof, and `question` as made from it.
  std::string judge(const Question& question, std::string_view client_id, Bytes signature, Bytes messages);
  // What an operator must know about the authorities.
  std::vector<trust::Concern> concerns(int64_t now) const { return validator_.concerns(now); }

 private:
  bool is_for(const CertificateList& device, std::string_view client_id) const;

  const BoundDevice::ClientIdFrom from_;
  trust::Validator validator_;
};

}  // namespace keyd
