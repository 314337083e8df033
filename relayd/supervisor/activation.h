// relayd's listener by socket activation: what the service manager passed, checked.
#pragma once

#include <vector>

#include "common/config_error.h"
#include "common/sd_listen.h"
#include "relayd/handover/config.h"

namespace relayd {

// The passed sockets, non-blocking; empty if there are none. Throws common::ConfigError, naming what was found, if one
// is no listening TCP socket. They win over listener.bind; the log warns if that is set and none of them is there.
std::vector<common::Fd> activated_listeners(std::vector<common::PassedSocket> passed, const Config::Listener& listener);

}  // namespace relayd
