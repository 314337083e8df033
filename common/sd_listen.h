// Sockets that the service manager opened before it started this process: sd_listen_fds(3). Without systemd any parent
// can play its part: descriptors from 3 on, their number in LISTEN_FDS, this process's id in LISTEN_PID.
#pragma once

#include <string>
#include <vector>

#include "common/fd.h"

namespace common {

struct PassedSocket {
  Fd fd;             // closed on exec
  std::string name;  // FileDescriptorName= of its unit; "unknown" if it was given none
};

// No more than that are taken; a worker slot each is the most that anybody here has use for.
inline constexpr int kMostPassedSockets = 256;

// Takes over what was passed to this very process, in its order; empty if nothing was. Unsets the variables, so that no
// child believes them. Once, at the start, before there are threads and before anything else opens a descriptor. Throws
// std::runtime_error, naming the variable and what was found in it, if what was passed is not what was announced.
std::vector<PassedSocket> take_passed_sockets();

}  // namespace common
