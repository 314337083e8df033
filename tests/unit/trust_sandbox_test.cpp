// What a validation needs from the system: no file, no system call, and little of a fiber's stack.
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>

#include "relayd/tls/fiber.h"
#include "relayd/worker/sandbox.h"
#include "tests/unit/catch.h"
#include "tests/unit/trust_support.h"

#if defined(__linux__)
#include <linux/seccomp.h>
#endif

namespace {

using namespace pki;
using trust::Validator;
using trust_support::accepts;
using trust_support::judge;
using trust_support::validator;

[[maybe_unused]] Identity device(const Identity& by) { return issue(by, {.subject = cn("dev1")}, key("P-256", 9)); }

// The exit status of a child that runs `what`; 1000 + the signal that killed it.
template <typename What>
int status_of_child(What what) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) syscall(SYS_exit, what() ? 0 : 1);  // exit_group(2) is not among strict mode's calls
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

#if !defined(MQTT_RELAY_SANITIZED)  // a sanitizer's runtime makes system calls and has larger frames

TEST_CASE("trust: a validation makes no system call") {
  const Identity ca = root("Root", 1), middle = issue(ca, {.subject = cn("Int"), .extensions = kCa}, key("P-256", 2));
  const std::vector<Identity> chain{device(middle), middle}, foreign{device(root("Other", 3))};
  Validator devices = validator({ca}, {crl(ca), crl(middle)}, {.revocation = trust::Revocation::chain});
  const auto locked = [&](const auto& what) {
    return status_of_child([&] {
      mallopt(M_TRIM_THRESHOLD, 64 << 20);  // the memory is allocated beforehand
      mallopt(M_TOP_PAD, 16 << 20);
      mallopt(M_MMAP_THRESHOLD, 32 << 20);
      free(malloc(8 << 20));
      // Only read, write, exit and sigreturn are left: seccomp(2).
      return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0 && what();
    });
  };
  CHECK(locked([&] { return accepts(devices, chain); }) == 0);
  CHECK(locked([&] { return !accepts(devices, foreign); }) == 0);
  CHECK(locked([&] { return getppid() > 0; }) == 1000 + SIGKILL);
}

TEST_CASE("trust: a sandboxed worker can make a validator and validate with it") {
  const Identity ca = root("Root", 1);
  const std::vector<Identity> chain{device(ca)};
  CHECK(status_of_child([&] {
          relayd::enter_sandbox(0, 0, false);
          Validator devices = validator({ca}, {crl(ca)});
          return accepts(devices, chain) && devices.concerns(kNow).empty();
        }) == 0);
}

TEST_CASE("trust: a validation needs less than half of a fiber's stack") {
  constexpr size_t kSize = 512 * 1024;
  static constexpr uint8_t kPaint = 0xa5;
  static std::vector<uint8_t> stack(kSize);
  static ucontext_t fiber, caller;
  static std::function<void()> work;
  const auto bytes_used = [&](std::function<void()> function) {
    std::fill(stack.begin(), stack.end(), kPaint);
    work = std::move(function);
    getcontext(&fiber);
    fiber.uc_stack = {.ss_sp = stack.data(), .ss_flags = 0, .ss_size = kSize};
    fiber.uc_link = &caller;
    makecontext(
        &fiber, [] { work(); }, 0);
    swapcontext(&caller, &fiber);
    return static_cast<size_t>(stack.end() -
                               std::find_if(stack.begin(), stack.end(), [](uint8_t byte) { return byte != kPaint; }));
  };
  const auto measure = [&](const char* name, const Identity& ca, bool refused = false) {
    Validator devices = validator({ca}, {crl(ca)}, {.revocation = trust::Revocation::chain});
    const std::vector<Identity> chain{refused ? device(root("Other", 8)) : device(ca)};
    bool accepted = refused;
    const size_t used = bytes_used([&] { accepted = accepts(devices, chain); });
    CHECK(accepted != refused);
    INFO(name << ": " << used << " bytes of stack");
    CHECK(used < relayd::tls::Fiber::kStackSize / 2);
  };
  for (const char* kind : {"P-256", "P-384", "P-521", "RSA:2048", "RSA:4096", "RSA:8192", "ED25519"})
    measure(kind, self_signed({.subject = cn("Root"), .extensions = kCa}, key(kind, 1)));
  measure("refused", root("Root", 1), true);
}

#endif
