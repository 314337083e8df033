// One worker: an unprivileged process with its own event loop, listening sockets and sessions. It opens no file, holds
// no key, and exits when its supervisor dies.
#pragma once

namespace relayd {

// The body of mqtt-relayd-worker. Returns the process's exit status.
int run_worker();

}  // namespace relayd
