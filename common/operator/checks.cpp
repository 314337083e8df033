#include "common/operator/checks.h"

#include <grp.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>
#include <ostream>
#include <system_error>

namespace common {
namespace {

using Json = nlohmann::ordered_json;

Colour colour_of(Result result) {
  switch (result) {
    case Result::ok: return Colour::green;
    case Result::warning: return Colour::yellow;
    case Result::error: return Colour::red;
    case Result::skipped: break;
  }
  return Colour::dim;
}

uint64_t how_many(const std::vector<DaemonChecks>& all, Result result) {
  uint64_t count = 0;
  for (const DaemonChecks& one : all)
    for (const Check& check : one.checks) count += check.result == result;
  return count;
}

Json json_of(const Check& check) {
  Json item = {{"name", check.name}, {"result", name(check.result)}, {"found", check.found}, {"fix", check.fix}};
  if (!check.details.empty()) item["details"] = check.details;
  return item;
}

void print_json(const std::vector<DaemonChecks>& all, std::ostream& out) {
  Json list = Json::array();
  for (const DaemonChecks& one : all)
    for (const Check& check : one.checks) {
      Json item = {{"daemon", one.daemon}};
      item.update(json_of(check));
      list.push_back(std::move(item));
    }
  const Json json = {
      {"checks", list}, {"errors", how_many(all, Result::error)}, {"warnings", how_many(all, Result::warning)}};
  out << json.dump(2, ' ', true, Json::error_handler_t::replace) << "\n";
}

void print_text(const std::vector<DaemonChecks>& all, std::ostream& out, const Screen& screen) {
  const std::string indent(31, ' ');
  for (const DaemonChecks& one : all) {
    out << screen.paint(Colour::bold, one.daemon) << ", " << visible(one.config) << "\n";
    for (const Check& check : one.checks) {
      out << screen.paint(colour_of(check.result), padded(name(check.result), 8)) << " " << padded(check.name, 21)
          << " " << visible(check.found) << "\n";
      for (const std::string& detail : check.details) out << indent << visible(detail) << "\n";
      if (!check.fix.empty()) out << indent << screen.paint(Colour::bold, "do: ") << visible(check.fix) << "\n";
    }
    out << "\n";
  }
  out << counted(how_many(all, Result::error), "error") << ", " << counted(how_many(all, Result::warning), "warning")
      << ", " << how_many(all, Result::ok) << " ok, " << how_many(all, Result::skipped) << " skipped\n";
}

}  // namespace

const char* name(Result result) {
  switch (result) {
    case Result::ok: return "ok";
    case Result::warning: return "warning";
    case Result::error: return "error";
    case Result::skipped: break;
  }
  return "skipped";
}

Check combined(const std::vector<std::pair<std::string, Check>>& each, std::string_view what) {
  if (each.size() == 1) return each.front().second;
  constexpr auto kBadness = [](Result result) {
    constexpr Result kOrder[] = {Result::skipped, Result::ok, Result::warning, Result::error};
    return std::ranges::find(kOrder, result) - kOrder;
  };
  Check all{Result::skipped, "", "", {}, ""};
  size_t good = 0;
  for (const auto& [name, one] : each) {
    if (kBadness(one.result) > kBadness(all.result)) all.result = one.result;
    good += one.result == Result::ok;
    all.details.push_back(name + ": " + one.found);
    for (const std::string& detail : one.details) all.details.push_back(name + ": " + detail);
    if (!one.fix.empty()) all.fix += (all.fix.empty() ? "" : "; ") + name + ": " + one.fix;
  }
  all.found =
      std::to_string(good) + " of " + common::counted(each.size(), what) + (good == 1 ? " is" : " are") + " good";
  return all;
}

std::string packed(const std::vector<Check>& checks) {
  Json list = Json::array();
  for (const Check& check : checks) list.push_back(json_of(check));
  std::string bytes;
  Json::to_cbor(list, bytes);
  return bytes;
}

std::vector<Check> unpacked(const std::string& bytes) {
  std::vector<Check> checks;
  for (const Json& item : Json::from_cbor(bytes)) {
    Check check;
    const std::string result = item.at("result");
    for (const Result one : {Result::ok, Result::warning, Result::error, Result::skipped})
      if (result == name(one)) check.result = one;
    check.name = item.at("name");
    check.found = item.at("found");
    check.fix = item.at("fix");
    check.details = item.value("details", std::vector<std::string>());
    checks.push_back(std::move(check));
  }
  return checks;
}

int report_checks(const std::vector<DaemonChecks>& all, const ReportOptions& options, std::ostream& out,
                  const Screen& screen) {
  if (options.json) print_json(all, out);
  else print_text(all, out, screen);
  if (how_many(all, Result::error) > 0) return kExitErrors;
  return options.warnings_as_errors && how_many(all, Result::warning) > 0 ? kExitWarnings : 0;
}

long landlock_abi() {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi > 0 ? abi : 0;
}

bool has_seccomp_filters() {
  const uint32_t action = SECCOMP_RET_ERRNO;
  return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

std::string understood(const std::string& file, const ConfigSources& sources) {
  const std::string others = in_words(sources);
  return file + " is understood" + (others.empty() ? "" : "; these win over it: " + others);
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string quoted(const std::string& path) {
  std::string text = "'";
  for (const char c : path) c == '\'' ? text += "'\\''" : text += c;
  return text + "'";
}

std::string octal(mode_t mode) {
  char text[8];
  snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

std::string user_name(uid_t uid) {
  const passwd* entry = getpwuid(uid);
  return entry ? entry->pw_name : std::to_string(uid);
}

std::string day_of(int64_t unix_seconds) {
  const time_t seconds = unix_seconds;
  tm parts{};
  char text[32];
  gmtime_r(&seconds, &parts);
  strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

void become(uid_t user, const std::string& whose) {
  const passwd* entry = getpwuid(user);
  const gid_t group = entry ? entry->pw_gid : user;
  const int groups = entry ? initgroups(entry->pw_name, group) : setgroups(0, nullptr);
  if (groups != 0 || setresgid(group, group, group) != 0 || setresuid(user, user, user) != 0)
    throw std::system_error(errno, std::generic_category(), "can't become " + whose + " user, " + std::to_string(user));
}

}  // namespace common
