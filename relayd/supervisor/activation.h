// Socket activation: checks the listeners that the service manager passed to relayd.
#pragma once

#include <memory>
#include <vector>

#include "common/config_error.h"
#include "common/sd_listen.h"
#include "relayd/handover/config.h"
#include "relayd/supervisor/listen.h"

namespace relayd {

// Takes the passed sockets; empty if there are none. A socket that an earlier process has shut down or changed is
// restored (mended()). Throws common::ConfigError, naming what it found, if one is not a TCP socket that listens or can
// listen, and common::NotYet, leaving all in `passed`, if one can't listen now.
//
// If there is one listener, it gets all sockets; they override its `bind`, and if that is set and no socket has its
// address, the log warns. Of several listeners a socket is for the one whose name is its FileDescriptorName=, or whose
// `bind` is its address; ConfigError if there is none. A listener that gets no socket binds one itself.
std::vector<std::shared_ptr<ListenSockets>> activated_listeners(std::vector<common::PassedSocket>& passed,
                                                                const std::vector<Config::Listener>& listeners);

}  // namespace relayd
