// The service manager's end of sd_notify(3). A test waits for a daemon's READY=1 instead of polling its port.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

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
  // Throws Failure with the output of `process` if it exits or stays silent.
  void wait_ready(Process& process, Deadline deadline = patience()) { wait_line("READY=1", process, deadline); }
  // Returns the next assignment that begins with `beginning`, whole; skips those before it.
  std::string wait_line(const std::string& beginning, Process& process, Deadline deadline = patience());

 private:
  void read();
  fs::path path_;
  int fd_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;  // received, not yet returned
  std::jthread reader_;            // reads all the time, so that a notifying process never waits
};

}  // namespace harness
