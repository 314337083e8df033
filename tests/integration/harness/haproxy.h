// A real HAProxy between devices and the relay, or between the relay and a broker.
#pragma once

#include <memory>
#include <string>

#include "tests/integration/harness/notify_socket.h"
#include "tests/integration/harness/process.h"

namespace harness {

class Haproxy {
 public:
  // `sections`: frontend, backend and listen sections of haproxy.cfg(1). Their connections are logged to standard
  // output, "CLIENT:PORT … FRONTEND", once they end. `before_exec` as in ProcessOptions. Waits until it serves.
  Haproxy(const std::string& sections, const fs::path& directory, const std::function<bool()>& before_exec = {});
  // Shows its log if the test has failed.
  ~Haproxy();
  LineLog& log() { return process_->out(); }

 private:
  std::unique_ptr<NotifySocket> notify_;
  std::unique_ptr<Process> process_;
};

}  // namespace harness
