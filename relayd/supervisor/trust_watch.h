// What is wrong with the CAs and CRLs that are in use. The log says it once when it begins and once when it is over;
// none of it ends the service. Workers judge each chain by the clock of its handshake, so they need no word when a CRL
// expires or the clock is set.
#pragma once

#include <vector>

#include "common/trust/concern.h"

namespace relayd {

class TrustWatch {
 public:
  // What the inspector has found now. Logs what is new, and what is over.
  void update(std::vector<trust::Concern> found);

  // What peers are refused for now.
  std::vector<trust::Concern> concerns() const;

 private:
  std::vector<trust::Concern> concerns_;
};

}  // namespace relayd
