// A program under test: started with its output on pipes, killed with its owner, and with the test if that dies first.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/integration/harness/line_log.h"

namespace harness {

struct ProcessOptions {
  std::vector<std::string> argv = {};              // argv[0] is the program; looked for in PATH if it has no slash
  std::vector<std::string> environment = {};       // "NAME=value", on top of the test's own
  std::optional<uid_t> user = {};                  // uid and gid, no other group; only root can give one
  std::string stdout_file = {}, stderr_file = {};  // instead of the pipe, if not empty; they exist
  std::vector<int> sockets = {};                   // passed as systemd does (sd_listen_fds(3)); they stay the test's
  // In the child before it changes its user, for namespaces: system calls only, and false ends it with 126.
  std::function<bool()> before_exec = {};
};

struct ExitStatus {
  int code = -1;   // of exit(3), or -1
  int signal = 0;  // that ended it, or 0
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
  ExitStatus kill();  // SIGKILL, and waits
  bool running();
  int pidfd() const { return pidfd_; }

 private:
  std::string name_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::optional<ExitStatus> status_;
  std::optional<LineLog> out_, err_;
};

// Runs a program to its end: exit status and what it wrote.
struct Finished {
  ExitStatus status;
  std::string out, err;
};
Finished run(const ProcessOptions& options, Deadline deadline = patience());

}  // namespace harness
