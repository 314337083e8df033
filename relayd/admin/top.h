// `mqtt-relay top`: what the relay does now, again and again. A live screen on a terminal, JSON lines elsewhere.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "common/operator/terminal.h"
#include "relayd/admin/device_rates.h"

namespace relayd::admin {

struct TopLine {
  std::string interval = "1s", sort = "bytes";
  uint64_t count = 0;  // samples; 0: until q or ^C
  bool json = false;
};

// Throws Unavailable if no relayd answers at the start. Later the screen says so and asks again; JSON lines end with
// it. Returns the exit status.
int top(const std::string& control_socket, const TopLine& line, std::ostream& out, const common::Screen& screen);

}  // namespace relayd::admin
