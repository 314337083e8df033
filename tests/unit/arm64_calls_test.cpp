// The lists of system calls are written for all processors. arm64 never had the older calls of x86-64, and libc makes
// their successors there. A list that has the old one only would break its program on arm64, where seccomp(2) drops it.
#include <seccomp.h>

#include <map>
#include <set>

#include "keyd/guardian/guardian.h"
#include "keyd/notary/sandbox.h"
#include "keyd/startup/reader.h"
#include "keyd/startup/sandbox.h"
#include "relayd/connector/sandbox.h"
#include "relayd/inspector/sandbox.h"
#include "relayd/monitor/sandbox.h"
#include "relayd/supervisor/sandbox.h"
#include "relayd/worker/sandbox.h"
#include "tests/unit/catch.h"

namespace {

// What glibc calls on arm64 instead (sysdeps/unix/sysv/linux). Empty: nothing; the call is x86-64's own, or an id that
// libc asks for in another way.
const std::map<std::string, std::set<std::string>> kSuccessors = {
    {"access", {"faccessat"}},       {"arch_prctl", {}},        {"chmod", {"fchmodat"}},  {"dup2", {"dup3"}},
    {"epoll_wait", {"epoll_pwait"}}, {"eventfd", {"eventfd2"}}, {"fork", {"clone"}},      {"getpgrp", {"getpgid"}},
    {"lstat", {"newfstatat"}},       {"open", {"openat"}},      {"pipe", {"pipe2"}},      {"poll", {"ppoll"}},
    {"readlink", {"readlinkat"}},    {"select", {"pselect6"}},  {"stat", {"newfstatat"}}, {"time", {"clock_gettime"}},
    {"unlink", {"unlinkat"}},        {"vfork", {"clone"}}};

bool arm64_has(const std::string& call) {
  return seccomp_syscall_resolve_name_arch(SCMP_ARCH_AARCH64, call.c_str()) >= 0;
}

}  // namespace

TEST_CASE("on arm64 each program may make the calls that libc makes instead of x86-64's", "[calls]") {
  REQUIRE(arm64_has("openat"));
  REQUIRE_FALSE(arm64_has("open"));
  const std::map<std::string, common::CallList> lists = {
      {"worker", relayd::worker_calls()},        {"supervisor", relayd::supervisor_calls()},
      {"connector", relayd::connector::calls()}, {"monitor", relayd::monitor::calls()},
      {"inspector", relayd::inspector::calls()}, {"keyd", keyd::serving_calls()},
      {"guardian", keyd::guardian_calls()},      {"reader", keyd::reader_calls()},
      {"notary", keyd::notary_calls()}};
  for (const auto& [program, list] : lists) {
    std::set<std::string> allowed;
    for (const auto& call : list) allowed.insert(call.name);
    for (const auto& call : allowed) {
      if (arm64_has(call)) continue;
      INFO(program << ": " << call);
      const auto found = kSuccessors.find(call);
      REQUIRE(found != kSuccessors.end());
      for (const auto& successor : found->second) {
        INFO(successor);
        CHECK(allowed.count(successor) == 1);
      }
    }
  }
}
