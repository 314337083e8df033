#include "keyd/notary/sandbox.h"

#include "common/hardening.h"
#include "common/log.h"

namespace keyd {

common::CallList notary_calls() {
  using namespace common::calls;
  constexpr common::Call kAnswering[] = {"recvfrom", {"sendto", is_null(4), only(3, MSG_NOSIGNAL)}};
  return common::joined({kAnswering, kLog, kMemory, kTime, kEnd});
}

void enter_notary_sandbox() {
  common::harden_process();
#if !defined(MQTT_RELAY_SANITIZED)  // a sanitizer's runtime reads files of its own
  for (const std::string& lacking : {common::forbid_files(), common::allow_system_calls(notary_calls())})
    if (!lacking.empty())
      common::log::warning("sandbox_weaker", "the notary runs without a part of its sandbox", {{"missing", lacking}});
#endif
}

}  // namespace keyd
