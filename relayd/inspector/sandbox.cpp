#include "relayd/inspector/sandbox.h"

#include "common/hardening.h"
#include "common/log.h"

namespace relayd::inspector {

common::CallList calls() {
  using namespace common::calls;
  constexpr common::Call kInspecting[] = {"read", "pread64", "close"};  // the plan
  return common::joined({kInspecting, kLog, kMemory, kTime, kEnd});
}

void enter_sandbox() {
  common::harden_process();
#if !defined(MQTT_RELAY_SANITIZED)  // a sanitizer's runtime reads files of its own
  for (const std::string& lacking : {common::forbid_files(), common::allow_system_calls(calls())})
    if (!lacking.empty())
      common::log::warning("the inspector's sandbox is weaker than it should be", {{"cause", lacking}});
#endif
}

}  // namespace relayd::inspector
