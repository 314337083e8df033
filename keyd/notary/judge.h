// Answers the vault's questions (keyd/handover/question.h), as far as they are set up.
#pragma once

#include <optional>
#include <vector>

#include "keyd/notary/device_verifier.h"
#include "keyd/notary/remote_verifier.h"

namespace keyd {

class Judge {
 public:
  // Throws as the two verifiers.
  explicit Judge(const NotarySettings& settings);

  // nullopt: not a question, so there is no job to answer.
  std::optional<NotaryAnswer> answer(Bytes datagram);
  // What an operator must know about the authorities.
  std::vector<trust::Concern> concerns(int64_t now) const;

 private:
  std::optional<RemoteVerifier> remote_;  // bind_remote
  std::optional<DeviceVerifier> device_;  // bind_device
};

}  // namespace keyd
