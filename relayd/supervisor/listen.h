// The listening sockets: one for each worker slot, on one address, held by the supervisor for good, so that a dead
// worker's queue is served by its successor (SO_REUSEPORT, socket(7)).
#pragma once

#include <vector>

#include "common/fd.h"
#include "relayd/config.h"

namespace relayd {

// common::ConfigError if the address can't be had: in use, not of this machine, privileged.
std::vector<common::Fd> open_listeners(const Config::Listener& listener, int count);

}  // namespace relayd
