// Tracks the problems of the CAs and CRLs in use. The log reports each one once when it starts and once when it is
// over; no such problem stops the service. Workers judge each chain at the time of its handshake, so they need no
// message when a CRL expires or the clock is set.
#pragma once

#include <vector>

#include "common/trust/concern.h"

namespace relayd {

class TrustWatch {
 public:
  // Takes the inspector's latest findings. Logs those that are new and those that are over.
  void update(std::vector<trust::Concern> found);

  // The problems for which peers are refused now.
  std::vector<trust::Concern> concerns() const;

 private:
  std::vector<trust::Concern> concerns_;
};

}  // namespace relayd
