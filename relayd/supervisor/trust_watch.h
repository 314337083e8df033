// What is wrong with the CAs and CRLs that are in use: said in the log once when it begins and once when it is over.
// None of it ends the service. Workers judge each chain by the clock of its handshake, so that nothing need be told to
// them when a CRL runs out or the clock is set.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/trust/validator.h"
#include "relayd/worker/plan.h"

namespace relayd {

class TrustWatch {
 public:
  // From now on these. common::ConfigError, but a plan that was loaded has been checked.
  void watch(const Plan& plan, const Config& config);

  // Compares with what was said before. `now` in unix seconds. A CRL of 1 MB costs 3 ms.
  void look(int64_t now);

  // What somebody is refused for now.
  std::vector<trust::Concern> concerns() const;

 private:
  std::unique_ptr<trust::Validator> devices_, remote_;
  std::vector<trust::Concern> concerns_;
};

}  // namespace relayd
