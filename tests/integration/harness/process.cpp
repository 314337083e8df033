#include "tests/integration/harness/process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

namespace harness {
namespace {

struct Pipe {
  int read_end = -1, write_end = -1;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe2");
    read_end = ends[0];
    write_end = ends[1];
  }
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> list;
  for (auto& s : strings) list.push_back(s.data());
  list.push_back(nullptr);
  return list;
}

// The service manager's part of sd_listen_fds(3): only the child knows its LISTEN_PID.
constexpr std::string_view kListenPid = "LISTEN_PID=";
constexpr int kFirstPassed = 3;

void pass_sockets(const ProcessOptions& options, char** environment) {
  const int count = static_cast<int>(options.sockets.size());
  std::array<int, 64> above;  // descriptors above every target
  if (options.sockets.empty()) return;
  if (options.sockets.size() > above.size()) _exit(126);
  for (size_t i = 0; i < options.sockets.size(); i++)
    above[i] = fcntl(options.sockets[i], F_DUPFD_CLOEXEC, kFirstPassed + count);
  for (int i = 0; i < count; i++)
    if (dup2(above[static_cast<size_t>(i)], kFirstPassed + i) < 0) _exit(126);
  for (char** v = environment; *v; ++v)
    if (std::string_view(*v).starts_with(kListenPid)) {
      char* digits = *v + kListenPid.size();
      *std::to_chars(digits, digits + strlen(digits), getpid()).ptr = '\0';
      return;
    }
}

// Only system calls are allowed between fork and exec, because the test has threads.
[[noreturn]] void become(char** argv, char** environment, const ProcessOptions& options, pid_t parent, int out,
                         int err) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(126);
  if (options.before_exec && !options.before_exec()) _exit(126);
  pass_sockets(options, environment);
  if (options.user && (syscall(SYS_setgroups, 0, nullptr) != 0 || syscall(SYS_setgid, *options.user) != 0 ||
                       syscall(SYS_setuid, *options.user) != 0))
    _exit(126);
  // After setuid(2), which clears it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);
  setpgid(0, 0);
  execvpe(argv[0], argv, environment);
  _exit(127);
}

// Returns -1 without a file; the caller then uses a pipe.
int open_output(const std::string& file) {
  if (file.empty()) return -1;
  const int fd = open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) fail_errno("open " + file);
  return fd;
}

}  // namespace

Process::Process(const ProcessOptions& options) : name_(options.argv.at(0)) {
  name_.erase(0, name_.rfind('/') + 1);
  auto arguments = options.argv;
  std::vector<std::string> variables;
  for (char** v = environ; *v; ++v) variables.emplace_back(*v);
  // execvpe(3) keeps duplicates, and getenv(3) finds the first.
  variables.insert(variables.begin(), options.environment.begin(), options.environment.end());
  if (!options.sockets.empty()) {
    variables.emplace(variables.begin(), "LISTEN_PID=0000000000");
    variables.emplace(variables.begin(), "LISTEN_FDS=" + std::to_string(options.sockets.size()));
  }
  auto argv = pointers(arguments), environment = pointers(variables);

  Pipe out, err;
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int out_file = open_output(options.stdout_file), err_file = open_output(options.stderr_file);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    dup2(null, 0);
    become(argv.data(), environment.data(), options, parent, out_file >= 0 ? out_file : out.write_end,
           err_file >= 0 ? err_file : err.write_end);
  }
  const int fork_error = errno;
  close(out.write_end);
  close(err.write_end);
  close(null);
  for (const int file : {out_file, err_file})
    if (file >= 0) close(file);
  out_.emplace(out.read_end, name_ + "'s standard output");
  err_.emplace(err.read_end, name_ + "'s standard error");
  errno = fork_error;
  if (pid_ < 0) fail_errno("fork");
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd_ < 0) fail_errno("pidfd_open");
}

Process::~Process() {
  if (!status_) {
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (pidfd_ >= 0) close(pidfd_);
}

void Process::signal(int number) {
  if (!status_ && ::kill(pid_, number) != 0) fail_errno("kill " + name_);
}

ExitStatus Process::wait(Deadline deadline) {
  if (status_) return *status_;
  pollfd p{pidfd_, POLLIN, 0};
  while (poll(&p, 1, deadline.poll_timeout()) < 0)
    if (errno != EINTR) fail_errno("poll");
  if (!(p.revents & POLLIN)) throw Failure(name_ + " still runs at its deadline; its standard error:\n" + err_->text());
  int raw = 0;
  if (waitpid(pid_, &raw, 0) != pid_) fail_errno("waitpid");
  status_ = WIFEXITED(raw) ? ExitStatus{WEXITSTATUS(raw), 0} : ExitStatus{-1, WTERMSIG(raw)};
  return *status_;
}

ExitStatus Process::kill() {
  signal(SIGKILL);
  return wait();
}

bool Process::running() {
  if (status_) return false;
  pollfd p{pidfd_, POLLIN, 0};
  return poll(&p, 1, 0) == 0;
}

Finished run(const ProcessOptions& options, Deadline deadline) {
  Process process(options);
  Finished finished;
  finished.status = process.wait(deadline);
  finished.out = process.out().text();
  finished.err = process.err().text();
  return finished;
}

}  // namespace harness
