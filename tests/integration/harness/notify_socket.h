// The manager's end of sd_notify(3): waits for a daemon's READY=1 instead of trying its port again and again.
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
  // A Failure with what `process` wrote if it ends, or says nothing, before.
  void wait_ready(Process& process, Deadline deadline = patience()) { wait_line("READY=1", process, deadline); }
  // The next assignment that begins with `beginning`, whole; those before it are passed over.
  std::string wait_line(const std::string& beginning, Process& process, Deadline deadline = patience());

 private:
  void read();
  fs::path path_;
  int fd_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;  // received, not yet asked for
  std::jthread reader_;            // nobody who notifies ever waits
};

}  // namespace harness
