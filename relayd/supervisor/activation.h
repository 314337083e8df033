// Socket activation: checks the listeners that the service manager passed to relayd.
#pragma once

#include <vector>

#include "common/config_error.h"
#include "common/sd_listen.h"
#include "relayd/handover/config.h"

namespace relayd {

// Takes the passed sockets; empty if there are none. A socket that an earlier process has shut down or changed is
// restored (mended()). Throws common::ConfigError, naming what it found, if one is not a TCP socket that listens or can
// listen, and common::NotYet, leaving all in `passed`, if one can't listen now. They override listener.bind; if it is
// set and no socket has its address, the log warns.
std::vector<common::Fd> activated_listeners(std::vector<common::PassedSocket>& passed,
                                            const Config::Listener& listener);

}  // namespace relayd
