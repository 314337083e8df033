// One worker: an unprivileged process with its own event loop, listening socket and sessions. It opens no file, holds
// no key, and ends when its supervisor does.
#pragma once

namespace relayd {

// The body of `relayd worker`, which only the supervisor starts. Returns the process's exit status.
int run_worker();

}  // namespace relayd
