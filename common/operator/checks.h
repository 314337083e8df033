// What both halves of `mqtt-relay check` have in common: a check's outcome, the report on both daemons, the exit
// statuses, and how checks speak of users, modes and paths.
#pragma once

#include <sys/types.h>

#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config_sources.h"
#include "common/operator/terminal.h"

namespace common {

enum class Result { ok, warning, error, skipped };
const char* name(Result result);

struct Check {
  Result result = Result::ok;
  std::string found, fix = {};
  std::vector<std::string> details = {};  // lines below: the files, or the addresses, that are meant
  std::string name = {};
};

// The checks of several things of one kind, each with its name, as one check: a line for each, and the worst result.
Check combined(const std::vector<std::pair<std::string, Check>>& each, std::string_view what);

// One half passes its checks to the other as bytes, because file names need not be UTF-8, and JSON text must be.
std::string packed(const std::vector<Check>& checks);
std::vector<Check> unpacked(const std::string& bytes);  // throws std::exception if `bytes` are not checks

// What a check says of a configuration file that it could read, and of what wins over it.
std::string understood(const std::string& file, const ConfigSources& sources);

struct DaemonChecks {
  std::string daemon, config;  // "keyd", and the file
  std::vector<Check> checks;
};
struct ReportOptions {
  bool json = false, warnings_as_errors = false;
};
inline constexpr int kExitErrors = 1, kExitWarnings = 2;

// Prints them, as text for people or as one JSON object. Returns the exit status.
int report_checks(const std::vector<DaemonChecks>& all, const ReportOptions& options, std::ostream& out,
                  const Screen& screen);

// What this kernel offers to confine a process.
long landlock_abi();  // 0: no Landlock
bool has_seccomp_filters();
inline constexpr char kLandlockRemedy[] =
    "Linux 5.13 or later, with landlock in `cat /sys/kernel/security/lsm` (boot with lsm=landlock,…)";
inline constexpr char kSeccompRemedy[] = "a kernel with CONFIG_SECCOMP_FILTER=y";

std::string parent_of(const std::string& path);  // the directory
std::string quoted(const std::string& path);     // for a shell, in single quotes
std::string octal(mode_t mode);                  // "0600"
std::string user_name(uid_t uid);
std::string day_of(int64_t unix_seconds);  // "2026-11-24 09:30 UTC"

// Becomes a service's user with its groups, for good, because root sees what that user may not. Throws
// std::system_error naming `whose` user it is: "keyd's".
void become(uid_t user, const std::string& whose);

}  // namespace common
