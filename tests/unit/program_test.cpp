// A program executes one other, in a sandbox in which it can execute nothing else.
#include "common/program.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <vector>

#include "catch.h"
#include "common/syscall_filter.h"

namespace {

struct Ended {
  int status = -1, signal = 0;
};

[[maybe_unused]] Ended in_a_child(const std::function<void()>& what) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    what();
    _exit(99);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0};
}

// True if the sandbox is in force; without it the tests prove nothing.
[[maybe_unused]] bool sandboxed_for(int program) {
  using namespace common::calls;
  common::harden_process();
  return common::forbid_files(common::LoaderFiles(program).rules()).empty() &&
         common::allow_system_calls(common::joined({common::calls_of_start(), kLog, kMemory, kTime, kEnd})).empty();
}

[[maybe_unused]] common::Fd program(const char* path) { return common::Fd(open(path, O_PATH | O_CLOEXEC)); }

}  // namespace

TEST_CASE("data handed to a program can't be changed", "[program]") {
  const common::Fd data = common::sealed(std::string("a\0b", 3));
  CHECK(common::read_sealed(data.get()) == std::string("a\0b", 3));
  CHECK(common::read_sealed(data.get()) == std::string("a\0b", 3));  // readable by every process that inherits it
  CHECK(pwrite(data.get(), "x", 1, 0) == -1);
  CHECK(ftruncate(data.get(), 0) == -1);
  CHECK((fcntl(data.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

#if !defined(MQTT_RELAY_SANITIZED)  // a sanitizer's runtime needs more than this sandbox allows

TEST_CASE("the sandbox for a program can execute that program and no other", "[program]") {
  const common::Fd yes = program("/bin/true"), other = program("/bin/false");
  REQUIRE((yes && other));
  CHECK(in_a_child([&] {
          if (sandboxed_for(yes.get())) common::Program::execute(yes.get(), "true");
        }).status == 0);
  CHECK(in_a_child([&] {
          if (sandboxed_for(yes.get()))
            _exit(common::Program::execute(other.get(), "false") == "Permission denied" ? 7 : 8);
        }).status == 7);
}

TEST_CASE("the sandbox for a program can execute no file by its path", "[program]") {
  const common::Fd yes = program("/bin/true");
  const auto ended = in_a_child([&] {
    char* const arguments[] = {const_cast<char*>("true"), nullptr};
    if (sandboxed_for(yes.get())) execve("/bin/true", arguments, environ);
  });
  CHECK(ended.signal == SIGSYS);
}

TEST_CASE("the sandbox for a program can read libraries only", "[program]") {
  const common::Fd yes = program("/bin/true");
  for (const char* path : {"/etc/passwd", "/proc/self/maps", "/bin/true", "/etc/ld.so.cache"}) {
    INFO(path);
    const bool allowed = std::string(path) == "/bin/true" || std::string(path) == "/etc/ld.so.cache";
    CHECK(in_a_child([&] {
            if (sandboxed_for(yes.get())) _exit(common::Fd(open(path, O_RDONLY)) ? 0 : 7);
          }).status == (allowed ? 0 : 7));
  }
}

#endif
