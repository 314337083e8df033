// What the inspector found in a plan's certificates, CAs and CRLs. The supervisor executes the inspector for this one
// task, so that the process that starts all others never parses a certificate.
//
// The inspector reads the Plan (plan.h) from kInspectedPlanFd and writes one archive of Findings to kFindingsFd.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/trust/concern.h"
#include "common/trust/expiry.h"

namespace relayd {

inline constexpr char kInspectorProgram[] = "mqtt-relayd-inspector", kInspectorName[] = "relayd-inspector";
inline constexpr int kInspectedPlanFd = 3, kFindingsFd = 4;
inline constexpr size_t kMaxFindings = 256 * 1024;  // bytes

struct Findings {
  std::string problem = {};  // why workers can't use the plan: file, setting and remedy; "": they can
  // SHA-256 of the public key of each certificate of each listener, then of local.tls.certfile.
  std::vector<std::array<uint8_t, 32>> own_spkis = {};
  std::vector<trust::Concern> concerns = {};
  std::vector<trust::Expiry> expiries = {};  // at most trust::Expiries::kMost

  std::string encode() const;
  static Findings decode(std::string_view bytes);  // BadArchive
};

}  // namespace relayd
