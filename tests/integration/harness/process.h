// A program under test. Its output goes to pipes. It is killed together with its owner, and with the test if that dies
// first.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/integration/harness/line_log.h"

namespace harness {

struct ProcessOptions {
  std::vector<std::string> argv = {};              // argv[0] is the program; without a slash it is searched for in PATH
  std::vector<std::string> environment = {};       // "NAME=value", added to the test's own
  std::optional<uid_t> user = {};                  // uid and gid, without supplementary groups; only root can set it
  std::string stdout_file = {}, stderr_file = {};  // existing files that replace the pipes; empty: pipes
  std::vector<int> sockets = {};                   // passed as systemd does (sd_listen_fds(3)); the test keeps them
  // Runs in the child before it changes its user, to enter namespaces. System calls only; false makes the child exit
  // with 126.
  std::function<bool()> before_exec = {};
};

struct ExitStatus {
  int code = -1;   // the exit(3) status, or -1
  int signal = 0;  // the signal that ended it, or 0
};

class Process {
 public:
  explicit Process(const ProcessOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& name() const { return name_; }
  LineLog& out() { return *out_; }
  LineLog& err() { return *err_; }

  void signal(int number);
  ExitStatus wait(Deadline deadline = patience());
  ExitStatus kill();  // sends SIGKILL and waits
  bool running();
  int pidfd() const { return pidfd_; }

 private:
  std::string name_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::optional<ExitStatus> status_;
  std::optional<LineLog> out_, err_;
};

// Runs a program until it exits; returns its exit status and its output.
struct Finished {
  ExitStatus status;
  std::string out, err;
};
Finished run(const ProcessOptions& options, Deadline deadline = patience());

}  // namespace harness
