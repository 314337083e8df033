// The protocol between the supervisor and its monitor process (relayd/monitor): one question, one answer.
//
// At its start the monitor gets one MonitorSettings. Then it asks for the supervisor's status, in a datagram of exactly
// one MonitorQuestion. The supervisor answers with the question's number and, attached, a sealed memory file
// (common::sealed) with to_json() of its Status, so it can send an answer of any size without waiting. It trusts
// nothing that comes from the monitor. Both programs are of one build.
#pragma once

#include <cstdint>

#include "common/log_settings.h"

namespace relayd {

inline constexpr char kMonitorProgram[] = "mqtt-relayd-monitor", kMonitorName[] = "relayd-monitor";

// The monitor's descriptors after the standard ones: the listening socket of metrics.bind, and its end of a
// SOCK_SEQPACKET pair.
inline constexpr int kMonitorListener = 3, kMonitorSocket = 4;

struct MonitorSettings {
  common::log::Settings log;
  bool require_sandbox;
};

struct MonitorQuestion {
  uint32_t number;
};

// The monitor asks at most 40 times a second, however many clients it has. If it exceeds 100, an attacker controls it.
inline constexpr int kMostQuestionsPerSecond = 100;

}  // namespace relayd
