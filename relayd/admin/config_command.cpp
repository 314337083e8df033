#include "relayd/admin/config_command.h"

#include <unistd.h>

#include <iostream>

#include "common/config_error.h"
#include "config_texts.h"
#include "relayd/admin/keyd_half.h"
#include "relayd/admin/notes.h"

namespace relayd::admin {
namespace {

using common::Check, common::Result;

Check check_relayd(const std::string& file, const Overrides& overrides) {
  Check check;
  check.name = "configuration";
  try {
    common::ConfigSources sources;
    read_config(file, overrides, &sources);
    check.found = common::understood(file, sources);
  } catch (const common::ConfigError& error) {
    check.result = Result::error;
    check.found = error.what();
    check.fix = "correct it there; `man mqtt-relayd.json` has every setting";
  }
  return check;
}

}  // namespace

void define_config(CLI::App& app, ConfigLine& line, std::optional<std::string>& config) {
  CLI::App& group = *app.add_subcommand("config", "Print what a configuration may have, or check one.")->fallthrough();
  const auto daemon = [&](CLI::App& command, const char* what) {
    command.add_option("DAEMON", line.daemon, what)->check(CLI::IsMember({"keyd", "relayd"}).description(""));
  };
  CLI::App& check = *common::add_command(group, "config check", kConfigCheckNotes);
  daemon(check, "keyd or relayd; default: both");
  check.add_option("--keyd-config", line.keyd_config, "Default /etc/mqtt-relay/keyd.json")->type_name("FILE");
  check.add_option("--relayd-config", line.relayd_config, "Default /etc/mqtt-relay/relayd.json")->type_name("FILE");
  check.add_option("--config", config, "The configuration of DAEMON")->type_name("FILE");
  check.add_flag("--json", line.report.json, "One JSON object");
  daemon(*common::add_command(group, "config print-default", kConfigPrintNotes), "keyd or relayd; default: relayd");
  daemon(*common::add_command(group, "config schema", kConfigSchemaNotes), "keyd or relayd; default: relayd");
}

int run_config(const std::string& name, const ConfigLine& line, const std::pair<std::string, std::string>& files,
               const Overrides& overrides) {
  const bool keyd = line.daemon == "keyd";
  if (name == "config schema") std::cout << (keyd ? kKeydSchema : kRelaydSchema);
  if (name == "config print-default") std::cout << (keyd ? kKeydDefault : kRelaydDefault);
  if (name != "config check") return std::cout.flush() ? 0 : common::kExitFailed;
  std::vector<common::DaemonChecks> all;
  if (!files.first.empty()) all.push_back({"keyd", files.first, configuration_check_of_keyd(files.first)});
  if (!files.second.empty()) all.push_back({"relayd", files.second, {check_relayd(files.second, overrides)}});
  return common::report_checks(all, line.report, std::cout, common::Screen::of(STDOUT_FILENO));
}

}  // namespace relayd::admin
