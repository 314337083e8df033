// The limits on a worker's log lines about devices that fail, one for each kind of failure. One thread.
#pragma once

#include <array>

#include "common/log_limit.h"
#include "relayd/handover/speaks.h"
#include "relayd/mqtt/connack_codes.h"
#include "relayd/mqtt/packets.h"
#include "relayd/websocket/fault.h"

namespace relayd {

struct LogLimits {
  common::LogLimit failed_handshakes{}, failed_connects{}, impossible_ids{}, other_spellings{},
      certificates_without_key{};
  std::array<common::LogLimit, mqtt::kRefusals.size()> refusals{};
  std::array<common::LogLimit, kNotTls.size()> not_tls{};
  std::array<common::LogLimit, kProxyFaults.size()> proxy_refusals{};
  std::array<common::LogLimit, websocket::kFaults.size()> websocket_refusals{};
  std::array<common::LogLimit, mqtt::kConnackCodes.size()> broker_refusals{};

  // Writes a line for each kind of which lines were left out in a second that is over, so that the end of a flood is
  // not lost. Call once a second. `now_ms` as for admit().
  void report(int worker, uint64_t now_ms);
};

}  // namespace relayd
