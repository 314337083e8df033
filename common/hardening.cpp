#include "common/hardening.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <system_error>

#include "common/fd.h"
#include "common/log.h"

namespace common {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

// Every file-system right that this Landlock version can take away (landlock(7)). It would refuse a rule set that names
// an unknown right. The bits are the kernel's ABI; those newer than our headers are written as numbers.
uint64_t file_rights(long abi) {
  uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;  // ABI 1
  if (abi >= 2) rights |= uint64_t{1} << 13;                 // REFER
  if (abi >= 3) rights |= uint64_t{1} << 14;                 // TRUNCATE
  if (abi >= 5) rights |= uint64_t{1} << 15;                 // IOCTL_DEV
  return rights;
}

// struct landlock_ruleset_attr, with the fields of ABI 6 that our headers lack.
struct RulesetAttributes {
  uint64_t files, net, scoped;
};

uint64_t rights_of(FileRule::Right right) {
  switch (right) {
    case FileRule::read: return LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    case FileRule::append: return LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG;
    case FileRule::read_file: return LANDLOCK_ACCESS_FS_READ_FILE;
    case FileRule::run: return LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE;
  }
  return 0;
}

constexpr uint64_t kScopeAbstractUnix = 1 << 0;  // no connection to an abstract Unix socket of a process outside
constexpr uint64_t kScopeSignal = 1 << 1;        // no signal to a process outside

// ABI 4: rights over TCP ports, and the rule that grants them.
constexpr long kNetAbi = 4;
constexpr uint64_t kBindTcp = 1 << 0, kConnectTcp = 1 << 1;
constexpr int kRuleNetPort = 2;
struct PortRule {
  uint64_t allowed, port;
};

}  // namespace

void keep_standard_numbers() {
  // O_PATH: read(2) and write(2) fail as on a closed descriptor (open(2)). A directory: it can't be reopened for
  // writing either.
  int fd = open("/", O_PATH | O_DIRECTORY);
  while (fd >= 0 && fd <= STDERR_FILENO) fd = open("/", O_PATH | O_DIRECTORY);
  if (fd < 0) fail("open /");
  close(fd);
}

void harden_process() {
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) fail("prctl(PR_SET_DUMPABLE)");
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) fail("setrlimit(RLIMIT_CORE)");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("prctl(PR_SET_NO_NEW_PRIVS)");
}

namespace {

struct Restriction {
  uint64_t forbidden, scope;  // rights over files; what processes outside
  std::span<const FileRule> rules;
  std::optional<std::span<const uint16_t>> ports = {};  // to connect to; nullopt: TCP is not restricted
  bool binds = false;                                   // to port 0
};

long available_abi() { return syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION); }

std::string enforce(const Restriction& wanted) {
  const long abi = available_abi();
  if (abi < 1) return std::string("Landlock is not available: ") + strerror(errno);
  const bool restricts_ports = wanted.ports && abi >= kNetAbi;
  const RulesetAttributes attributes{file_rights(abi) & wanted.forbidden, restricts_ports ? kBindTcp | kConnectTcp : 0,
                                     wanted.scope};
  // Older kernels know the first field only, or the first two.
  const size_t size = abi >= 6          ? sizeof attributes
                      : restricts_ports ? offsetof(RulesetAttributes, scoped)
                                        : sizeof attributes.files;
  const Fd ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  bool enforced = static_cast<bool>(ruleset);
  const auto allow = [&](int type, const void* rule) {
    enforced = enforced && syscall(SYS_landlock_add_rule, ruleset.get(), type, rule, 0) == 0;
  };
  for (const FileRule& rule : wanted.rules) {
    const landlock_path_beneath_attr beneath{rights_of(rule.right) & wanted.forbidden, rule.directory};
    if (beneath.allowed_access != 0) allow(LANDLOCK_RULE_PATH_BENEATH, &beneath);
  }
  if (restricts_ports)
    for (const uint16_t port : *wanted.ports) {
      const PortRule rule{kConnectTcp, port};
      allow(kRuleNetPort, &rule);
    }
  if (const PortRule any{kBindTcp, 0}; restricts_ports && wanted.binds) allow(kRuleNetPort, &any);
  if (!enforced || syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0)
    return std::string("Landlock can't be enforced: ") + strerror(errno);
  return "";
}

}  // namespace

std::string forbid_files(std::span<const FileRule> rules) { return enforce({~uint64_t{0}, kScopeSignal, rules}); }

Lacking forbid_files_and_ports(std::span<const FileRule> rules, std::span<const uint16_t> ports, bool binds) {
  const long abi = available_abi();
  return {enforce({~uint64_t{0}, kScopeSignal | kScopeAbstractUnix, rules, ports, binds}),
          abi >= kNetAbi
              ? ""
              : "Landlock of this kernel (ABI " + std::to_string(abi) + ") can't restrict TCP ports; Linux 6.7 can"};
}

std::string forbid_writing(std::span<const FileRule> programs) {
  constexpr uint64_t kAllowed = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                                LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE;
  return enforce({~kAllowed, 0, programs});
}

void accept_sandbox(std::span<const std::string> missing, bool required) {
  for (const std::string& cause : missing) {
    if (cause.empty()) continue;
    if (required)
      throw std::runtime_error("require_sandbox is true, and this machine can't give all of it: " + cause +
                               "; use a kernel that has it, or set require_sandbox to false");
    log::warning("sandbox_weaker", "the sandbox is weaker than it should be", {{"cause", cause}});
  }
}

}  // namespace common
