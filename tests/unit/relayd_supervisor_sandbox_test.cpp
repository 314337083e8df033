// The supervisor executes its own programs and nothing else, and writes no file.
#include "relayd/supervisor/sandbox.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cerrno>
#include <functional>

#include "common/fd.h"
#include "common/operator/checks.h"
#include "keyd_support.h"
#include "tests/unit/catch.h"

#if !defined(MQTT_RELAY_SANITIZED)  // a sanitizer's runtime needs more than the sandbox allows

namespace {

// The exit status of a process that has entered the sandbox and then does `what`.
int sandboxed(const std::function<int()>& what) {
  const relayd::Programs programs;
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    relayd::enter_supervisor_sandbox(programs);
    _exit(what());
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

int error_of_executing(const char* path) {
  char* const arguments[] = {const_cast<char*>("program"), nullptr};
  char* const environment[] = {nullptr};
  execve(path, arguments, environment);
  return errno;
}

bool has_landlock() { return common::landlock_abi() > 0; }

}  // namespace

TEST_CASE("the supervisor can execute only its own programs") {
  if (!has_landlock()) {
    WARN("SKIPPED: this kernel has no Landlock");
    return;
  }
  for (const char* path : {"/bin/true", "/bin/sh", "/proc/self/exe"}) {
    CAPTURE(path);
    CHECK(sandboxed([&] { return error_of_executing(path); }) == EACCES);
  }
}

TEST_CASE("the supervisor can execute each of its own programs") {
  const relayd::Programs programs;
  for (const auto* program : {&programs.worker, &programs.connector, &programs.inspector, &programs.monitor}) {
    CAPTURE(program->path());
    // Without the supervisor's data, each program exits with 1, which a failed execve(2) never gives.
    CHECK(sandboxed([&] {
            close(STDERR_FILENO);
            return error_of_executing(("/proc/self/fd/" + std::to_string(program->file())).c_str());
          }) == 1);
  }
}

TEST_CASE("the supervisor writes and creates no file") {
  if (!has_landlock()) {
    WARN("SKIPPED: this kernel has no Landlock");
    return;
  }
  const keyd_test::ScratchDir folder;
  const std::string existing = folder / "existing", fresh = folder / "fresh";
  common::Fd(open(existing.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  CHECK(sandboxed([&] { return open(existing.c_str(), O_WRONLY) >= 0 ? 0 : errno; }) == EACCES);
  CHECK(sandboxed([&] { return open(fresh.c_str(), O_WRONLY | O_CREAT, 0600) >= 0 ? 0 : errno; }) == EACCES);
  CHECK(sandboxed([&] { return open(existing.c_str(), O_RDONLY) >= 0 ? 0 : errno; }) == 0);
}

TEST_CASE("the supervisor makes and removes its control socket") {
  const keyd_test::ScratchDir folder;
  const std::string path = folder / "control.sock";
  CHECK(sandboxed([&] {
          sockaddr_un address{};
          address.sun_family = AF_UNIX;
          path.copy(address.sun_path, sizeof address.sun_path - 1);
          const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
          if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return errno;
          return unlink(path.c_str()) == 0 ? 0 : errno;
        }) == 0);
}

TEST_CASE("the supervisor's children do not inherit descriptors that its own parent left open") {
  const common::Fd left_open(open("/dev/null", O_RDONLY));
  REQUIRE(left_open);
  CHECK(sandboxed([&] { return fcntl(left_open.get(), F_GETFD) == FD_CLOEXEC ? 0 : 1; }) == 0);
}

#endif
