// Tracks the problems of the CAs and CRLs in use, and when what is in use expires. The log reports each one once when
// it starts and once when it is over; no such problem stops the service. Workers judge each chain at the time of its
// handshake, so they need no message when a CRL expires or the clock is set.
#pragma once

#include <optional>
#include <vector>

#include "relayd/handover/findings.h"
#include "relayd/supervisor/inspection.h"

namespace relayd {

class TrustWatch {
 public:
  // Takes the inspector's latest findings. Logs those that are new and those that are over.
  void update(Findings findings);
  // Has an inspector look again at what `plan` uses, unless one still does: as time passes, CAs and CRLs become valid
  // or expire. stop() ends that.
  void look(uv_loop_t* loop, const common::Program& inspector, const Plan& plan);
  void stop() { inspection_.reset(); }

  // The problems for which peers are refused now.
  std::vector<trust::Concern> concerns() const;
  const std::vector<trust::Expiry>& expiries() const { return expiries_; }

 private:
  void on_looked(const Inspection::Result& result);
  std::optional<Inspection> inspection_;
  std::vector<trust::Concern> concerns_;
  std::vector<trust::Expiry> expiries_;
};

}  // namespace relayd
