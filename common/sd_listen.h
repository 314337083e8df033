// Sockets that the service manager opened before it started this process: sd_listen_fds(3). Without systemd, any parent
// can do the same: it passes descriptors from 3 on, their number in LISTEN_FDS, and this process's id in LISTEN_PID.
#pragma once

#include <string>
#include <vector>

#include "common/fd.h"

namespace common {

struct PassedSocket {
  Fd fd;             // closed on exec
  std::string name;  // FileDescriptorName= of its unit; "unknown" if it has none
};

// The most sockets that are accepted: one for each worker slot.
inline constexpr int kMostPassedSockets = 256;

// Takes over the sockets that were passed to this process, in their order; empty if there are none. Unsets the
// variables, so that no child believes them. Call once, at the start, before there are threads and before any other
// code opens a descriptor. Throws std::runtime_error if the sockets do not match the variables; the text names the
// variable and its value.
std::vector<PassedSocket> take_passed_sockets();

}  // namespace common
