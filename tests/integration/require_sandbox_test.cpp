// relayd on a kernel without Landlock: it warns, or, with require_sandbox, does not start.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/need.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// From here on the kernel seems to have no Landlock.
bool lose_landlock() {
  sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{std::size(code), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

TEST_CASE("without Landlock relayd warns and serves, with require_sandbox it neither starts nor reloads") {
  NEEDS_NO_SANITIZER();
  World world({.start = false});
  auto& relay = world.relay();
  relay.options().relayd_before_exec = lose_landlock;
  relay.start();
  relay.log().wait_text("the sandbox is weaker than it should be");
  const auto identity = device_identity("p256", 1);
  world.give_key("device", identity);
  auto device = world.device(identity);
  device.join("device");

  relay.patch_relayd({{"require_sandbox", true}});
  const auto line = relay.reload();
  CHECK(line.value("msg", "") == "reload failed; nothing has changed");
  CHECK(line.value("cause", "").find("require_sandbox is true") == 0);
  device.ping();

  const auto refused = relay.run_relayd();
  CHECK(refused.status.code == 1);
  CHECK(refused.err.find("require_sandbox is true, and this machine can't give all of it: Landlock") !=
        std::string::npos);
}

TEST_CASE("with require_sandbox relayd serves on a kernel that has all of it") {
  NEEDS_NO_SANITIZER();
  World world({.relayd = {{"require_sandbox", true}}});
  CHECK(world.relay().log().count_text("weaker") == 0);
}
