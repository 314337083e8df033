#include "relayd/admin/commands.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "common/hardening.h"
#include "common/operator/command_line.h"
#include "relayd/admin/check.h"
#include "relayd/admin/client.h"
#include "relayd/admin/client_check.h"
#include "relayd/admin/config_command.h"
#include "relayd/admin/init.h"
#include "relayd/admin/keyd_half.h"
#include "relayd/admin/notes.h"
#include "relayd/admin/session_commands.h"
#include "relayd/admin/show_status.h"
#include "relayd/admin/size.h"
#include "relayd/admin/verify.h"
#include "relayd/supervisor/options.h"

namespace relayd::admin {
namespace {

using common::add_command, common::CommandFailed;
constexpr common::Milliseconds kPatience{10'000}, kReloadPatience{125'000};  // the supervisor's own is 120 s
constexpr size_t kMostCertificate = 1024 * 1024;                             // bytes of a file
constexpr char kKeydConfig[] = "/etc/mqtt-relay/keyd.json", kRelaydConfig[] = "/etc/mqtt-relay/relayd.json";

// `check`: which daemon ("": both), and which files.
struct CheckLine {
  std::string daemon;
  std::optional<std::string> keyd_config, relayd_config;
  std::string client, certificate;  // "": not given
  bool connect = false;
  common::ReportOptions report;
};

struct CommandLine {
  std::optional<std::string> config;
  Overrides overrides;
  bool json = false;
  SessionCommands sessions;
  CheckLine check;
  ConfigLine of_config;
  InitOptions init;
  VerifyOptions verify;
  SizeLine size;
  std::string verify_as;
  std::optional<std::string> verify_at, verify_crl_check;

  std::string relayd_config() const { return config.value_or(kRelaydConfig); }
};

// ---- the commands' actions

// Where to ask. Throws common::ConfigError.
std::string control_socket(const CommandLine& line) {
  const std::string file = line.relayd_config();
  const Config config = read_config(file, line.overrides);
  if (config.control_socket.empty())
    throw common::ConfigError(file +
                              ": control_socket is not set, so relayd can't be asked; set it to a path as "
                              "\"/run/mqtt-relay/control.sock\" and restart relayd");
  return config.control_socket;
}

// The configuration files of both daemons; "" for one that is not checked. `check` is a CheckLine or a ConfigLine.
template <typename Line>
std::pair<std::string, std::string> files_to_check(const CommandLine& line, const Line& check) {
  const auto usage = [](const std::string& what) { return CommandFailed(what, common::kExitUsage); };
  if (line.config && check.daemon.empty())
    throw usage(
        "--config names one daemon's file: use check keyd or check relayd, or --keyd-config and --relayd-config");
  if (check.daemon == "keyd" && check.relayd_config) throw usage("found --relayd-config, but only keyd is checked");
  if (check.daemon == "relayd" && check.keyd_config) throw usage("found --keyd-config, but only relayd is checked");
  std::pair<std::string, std::string> files;
  if (check.daemon != "relayd")
    files.first = check.keyd_config ? *check.keyd_config : line.config.value_or(kKeydConfig);
  if (check.daemon != "keyd")
    files.second = check.relayd_config ? *check.relayd_config : line.config.value_or(kRelaydConfig);
  return files;
}

// Empty if the configuration can't be read; relayd's half reports that.
OfRelayd of_relayd(const std::string& file, const Overrides& overrides) try {
  const Config config = read_config(file, overrides);
  std::vector<std::string> names;
  for (const Config::Broker& broker : config.brokers) names.push_back(broker.server_name);
  common::Milliseconds longest{};
  for (const auto& listener : config.listeners)
    longest = std::max(longest, listener.handshake_timeout + listener.idle_timeout);
  const bool files = config.remote.certificate == Config::Remote::Certificate::file;
  longest += config.sign_timeout + (files ? 2 : 1) * config.remote.connect_timeout;  // a file has as much time, too
  return {config.listeners.front().certfiles.front(),  // relayd's own check compares each listener's
          longest, names, config.remote.alpn, files};
} catch (const common::ConfigError&) {
  return {};
}

// `check --client`.
int run_client_check(const CommandLine& line) {
  const auto& [daemon, keyd_config, relayd_config, client_id, file, connect, report] = line.check;
  if (!daemon.empty())
    throw CommandFailed("found " + daemon + " and --client, which checks both daemons", common::kExitUsage);
  const auto [keyd, relayd] = files_to_check(line, line.check);
  const std::string pem = file.empty() ? "" : common::read_file(file, kMostCertificate);
  if (pem.find("PRIVATE KEY-----") != std::string::npos)  // this process will talk to the remote broker
    throw CommandFailed(file + ": it holds a private key; name a file with the certificates alone", common::kExitUsage);
  std::string shown = file;
  size_t brokers = 1;
  try {
    const Config config = read_config(relayd, line.overrides);
    brokers = std::max<size_t>(brokers, config.brokers.size());
    if (const std::string own = certificate_file(config, client_id); !own.empty()) shown = own;
  } catch (const common::ConfigError&) {  // relayd's half reports it
  }
  common::harden_process();
  std::vector<common::DaemonChecks> all{{"keyd", keyd, checks_of_key(keyd, client_id, shown)}};
  const bool usable = std::ranges::all_of(all[0].checks, [](const Check& check) { return check.result == Result::ok; });
  std::optional<DeviceSigner> signer;  // started before this process becomes relayd's user
  if (usable) signer.emplace(keyd, client_id, brokers);
  all.push_back({"relayd", relayd,
                 check_client({.config = relayd, .overrides = line.overrides, .as_service_user = true},
                              {client_id, file, pem, signer ? &*signer : nullptr, connect})});
  return common::report_checks(all, report, std::cout, common::Screen::of(STDOUT_FILENO));
}

int run_check(const CommandLine& line) {
  if (!line.check.client.empty()) return run_client_check(line);
  if (!line.check.certificate.empty() || line.check.connect)
    throw CommandFailed("found --certificate or --connect without --client", common::kExitUsage);
  const auto [keyd, relayd] = files_to_check(line, line.check);
  common::harden_process();
  std::vector<common::DaemonChecks> all;
  if (!keyd.empty())
    all.push_back(
        {"keyd", keyd, checks_of_keyd(keyd, relayd.empty() ? OfRelayd() : of_relayd(relayd, line.overrides))});
  if (!relayd.empty())  // last, because this process becomes relayd's user
    all.push_back(
        {"relayd", relayd, run_checks({.config = relayd, .overrides = line.overrides, .as_service_user = true})});
  return common::report_checks(all, line.check.report, std::cout, common::Screen::of(STDOUT_FILENO));
}

int run_init(CommandLine& line) {
  line.init.config = line.relayd_config();
  line.init.terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
  init(line.init, std::cin, std::cout);
  return 0;
}

int run_verify(CommandLine& line) {
  line.verify.config = line.relayd_config();
  line.verify.overrides = line.overrides;
  line.verify.json = line.json;
  line.verify.as = line.verify_as == "device" ? trust::Purpose::device : trust::Purpose::remote;
  if (line.verify_crl_check)
    line.verify.crl_check = *line.verify_crl_check == "chain" ? trust::Revocation::chain : trust::Revocation::leaf;
  if (line.verify_at) line.verify.at = parse_time(*line.verify_at);
  return verify(line.verify, std::cin, std::cout);
}

// Asks the running relayd.
int run_request(const std::string& command, const CommandLine& line) {
  const Json answer =
      ask(control_socket(line), {{"command", command}}, command == "reload" ? kReloadPatience : kPatience);
  const auto screen = common::Screen::of(STDOUT_FILENO);
  const Json status = answer.value("status", Json::object());
  if (command != "status") std::cout << common::visible(answer.value("message", "done")) << "\n";
  else if (line.json || !screen.terminal) std::cout << status.dump(2, ' ', /*ensure_ascii=*/true) << "\n";
  else show_status(status, std::cout, screen);
  return 0;
}

// ---- the command line

void add_config(CLI::App& command, CommandLine& line) {
  command.add_option("--config", line.config, std::string("relayd's configuration; default ") + kRelaydConfig)
      ->type_name("FILE");
}

void define_init(CLI::App& app, CommandLine& line) {
  CLI::App& init = *add_command(app, "init", kInitNotes);
  init.add_option("--remote", line.init.remote, "The remote broker; default port 8883")->type_name("HOST[:PORT]");
  init.add_option("--remote-ca", line.init.remote_ca, "The CAs of the remote broker, PEM")->type_name("FILE");
  init.add_option("--device-ca", line.init.device_ca, "The CAs of the devices, PEM")->type_name("FILE");
  init.add_option("--listener-certificate", line.init.listener_certificate,
                  "The chain that relayd shows to devices, PEM")
      ->type_name("FILE");
  init.add_option("--bind", line.init.bind, "Where devices connect; default 0.0.0.0:8883")->type_name("ADDRESS:PORT");
  init.add_option("--local", line.init.local, "The broker of devices without a key here")->type_name("HOST[:PORT]");
  init.add_flag("--force", line.init.force, "Replace existing files, and keep each as FILE.old");
  add_config(init, line);
}

// A script's empty variable is no option that is left out.
CLI::Validator not_empty(const std::string& what) {
  return {[what](const std::string& text) { return text.empty() ? "found \"\"; allowed: " + what : ""; }, ""};
}

void define_check(CLI::App& app, CommandLine& line) {
  CLI::App& check = *add_command(app, "check", kCheckNotes);
  check.add_option("DAEMON", line.check.daemon, "keyd or relayd; default: both")
      ->check(CLI::IsMember({"keyd", "relayd"}).description(""));
  check.add_option("--keyd-config", line.check.keyd_config, std::string("Default ") + kKeydConfig)->type_name("FILE");
  check.add_option("--relayd-config", line.check.relayd_config, std::string("Default ") + kRelaydConfig)
      ->type_name("FILE");
  check.add_option("--config", line.config, "The configuration of DAEMON")->type_name("FILE");
  check.add_option("--client", line.check.client, "Check what this one device needs")
      ->type_name("CLIENT_ID")
      ->check(not_empty("a client id"));
  check.add_option("--certificate", line.check.certificate, "The device's chain, PEM, the leaf first")
      ->type_name("FILE")
      ->check(not_empty("a file's name"));
  check.add_flag("--connect", line.check.connect, "Also send a CONNECT, which takes its session over");
  check.add_flag("--json", line.check.report.json, "One JSON object");
  check.add_flag("--warnings-as-errors", line.check.report.warnings_as_errors, "Exit status 2 if there are warnings");
}

void define_verify(CLI::App& app, CommandLine& line) {
  CLI::App& verify = *add_command(app, "verify", kVerifyNotes);
  VerifyOptions& options = line.verify;
  verify.add_option("CHAIN", options.chain, "PEM file, leaf first; - for standard input")->required();
  verify.add_option("--as", line.verify_as, "Whose chain it is: device or remote")
      ->type_name("ROLE")
      ->required()
      ->check(CLI::IsMember({"device", "remote"}).description(""));
  verify.add_option("--name", options.name, "The name it must have; default: the remote's")->type_name("NAME");
  verify.add_option("--listener", options.listener, "The device's listener, if there are several")->type_name("NAME");
  verify.add_option("--at", line.verify_at, "2027-01-15T08:00:00Z, 2027-01-15, or Unix seconds")
      ->type_name("TIME")
      ->check([](const std::string& text) {
        return parse_time(text)
                   ? ""
                   : "found \"" + text + "\"; allowed: a time such as 2027-01-15T08:00:00Z, or Unix seconds";
      });
  verify.add_option("--cafile", options.cafile, "CAs, PEM; no configuration is read")->type_name("FILE");
  verify.add_option("--crlfile", options.crlfile, "CRLs, PEM, instead of the configuration's")->type_name("FILE");
  verify.add_option("--depth", options.depth, "At most N certificates between leaf and root")
      ->type_name("N")
      ->check(CLI::Range(0, kMostDepth).description(""));
  verify.add_flag("--partial-chain", options.partial_chain, "The chain may end at any of the CAs, not only a root");
  verify.add_option("--crl-check", line.verify_crl_check, "Check CRLs for the leaf, or for the whole chain")
      ->type_name("leaf|chain")
      ->check(CLI::IsMember({"leaf", "chain"}).description(""));
  verify.add_flag("--json", line.json, "One JSON object");
  add_config(verify, line);
}

void define_requests(CLI::App& app, CommandLine& line) {
  CLI::App& status = *add_command(app, "status", kRequestNotes);
  status.add_flag("--json", line.json, "JSON instead of a table; a pipe always gets JSON");
  add_config(status, line);
  add_config(*add_command(app, "reload", kReloadNotes), line);
  for (CLI::App* command : define_session_commands(app, line.sessions)) add_config(*command, line);
}

// The index of the command: the first word that is neither an option nor its value.
size_t command_in(const std::vector<std::string>& words) {
  size_t at = 0;
  while (at < words.size() && words[at].starts_with("-")) at += words[at] == "--config" ? 2 : 1;
  return std::min(at, words.size());
}

}  // namespace

int command_line(std::vector<std::string> words) {
  size_t at = command_in(words);
  if (at < words.size() && words[at] == "help") {  // `help COMMAND` is `COMMAND --help`
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
    words.push_back("--help");
    at = command_in(words);
  }
  if (at < words.size() && (words[at] == "keys" || words[at] == "audit"))
    return common::run_command(words[at], [&]() -> int { become_keyd_half(words); });

  common::log::open("mqtt-relay", common::log::Level::error);  // the checks report what relayd's own code would log
  CLI::App app;
  CommandLine line;
  common::set_up(app);
  app.add_option("--config", line.config, "The configuration of the daemon that the command is about")
      ->type_name("FILE");
  define_init(app, line);
  define_size(app, line.size);
  define_check(app, line);
  define_config(app, line.of_config, line.config);
  define_verify(app, line);
  define_requests(app, line);
  if (const auto status = common::parse_command_line(app, words)) return *status;
  const std::string name = common::chosen(app);
  return common::run_command(name, [&] {
    if (const std::string error = common::take_environment(options_of(line.overrides)); !error.empty())
      throw CommandFailed(error, common::kExitUsage);
    if (name == "init") return run_init(line);
    if (name == "size" && line.config)
      throw CommandFailed("found --config, but size reads no configuration", common::kExitUsage);
    if (name == "size") return run_size(line.size, std::cout, common::Screen::of(STDOUT_FILENO));
    if (name == "check") return run_check(line);
    if (name.starts_with("config ") && name != "config check" && line.config)
      throw CommandFailed("found --config, but " + name + " reads no configuration", common::kExitUsage);
    if (name.starts_with("config "))
      return run_config(name, line.of_config, files_to_check(line, line.of_config), line.overrides);
    if (name == "verify") return run_verify(line);
    return is_session_command(name) ? run_session_command(name, line.sessions, control_socket(line))
                                    : run_request(name, line);
  });
}

}  // namespace relayd::admin
