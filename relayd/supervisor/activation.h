// Socket activation: checks the listeners that the service manager passed to relayd.
#pragma once

#include <vector>

#include "common/config_error.h"
#include "common/sd_listen.h"
#include "relayd/handover/config.h"

namespace relayd {

// Returns the passed sockets, non-blocking; empty if there are none. Throws common::ConfigError, naming what it found,
// if one is not a listening TCP socket. They override listener.bind; if it is set and no socket has its address, the
// log warns.
std::vector<common::Fd> activated_listeners(std::vector<common::PassedSocket> passed, const Config::Listener& listener);

}  // namespace relayd
