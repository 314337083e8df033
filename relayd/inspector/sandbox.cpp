#include "relayd/inspector/sandbox.h"

#include "common/hardening.h"

namespace relayd::inspector {

common::CallList calls() {
  using namespace common::calls;
  constexpr common::Call kInspecting[] = {"read", "pread64", "close"};  // the plan
  return common::joined({kInspecting, kLog, kMemory, kTime, kEnd});
}

std::vector<std::string> enter_sandbox() {
  common::harden_process();
#if defined(MQTT_RELAY_SANITIZED)
  return {"it is off: a sanitizer's runtime reads files of its own"};
#else
  return {common::forbid_files(), common::allow_system_calls(calls())};
#endif
}

}  // namespace relayd::inspector
