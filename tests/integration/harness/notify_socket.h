// The manager's end of sd_notify(3): waits for a daemon's READY=1 instead of trying its port again and again.
#pragma once

#include <string>

#include "tests/integration/harness/process.h"
#include "tests/integration/harness/temp_dir.h"

namespace harness {

class NotifySocket {
 public:
  explicit NotifySocket(const fs::path& path);
  ~NotifySocket();
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  std::string environment() const { return "NOTIFY_SOCKET=" + path_.string(); }
  // A Failure with what `process` wrote if it ends, or says nothing, before.
  void wait_ready(Process& process, Deadline deadline = patience());

 private:
  fs::path path_;
  int fd_ = -1;
};

}  // namespace harness
