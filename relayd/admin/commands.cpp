#include "relayd/admin/commands.h"

#include <unistd.h>

#include <iostream>

#include "common/hardening.h"
#include "common/operator/terminal.h"
#include "relayd/admin/client.h"
#include "relayd/admin/show_status.h"

namespace relayd::admin {
namespace {

constexpr int kExitFailed = 1, kExitUsage = 64, kExitUnavailable = 69, kExitConfig = 78;  // sysexits.h
constexpr common::Milliseconds kPatience{10'000}, kReloadPatience{125'000};  // the supervisor's own is 120 s

constexpr char kExit[] =
    "Run it as root or as relayd's user. control_socket of the configuration says where relayd listens.\n"
    "Exit status: 0 done; 1 relayd could not do it, and says why; 69 no relayd answers; 78 the configuration can't be "
    "used, or has no control_socket.";

// Where to ask. Throws common::ConfigError.
std::string control_socket(const std::string& config_file, const Overrides& overrides) {
  const Config config = parse_config(common::read_file(config_file, kMaxConfigFile), config_file, overrides);
  if (config.control_socket.empty())
    throw common::ConfigError(config_file +
                              ": control_socket is not set, so that relayd can't be asked; set it to a path as "
                              "\"/run/mqtt-relay/control.sock\" and restart relayd");
  return config.control_socket;
}

int report(const CLI::App& command, const std::string& error, int status) {
  std::cerr << "mqtt-relayd " << command.get_name() << ": " << common::visible(error) << "\n";
  return status;
}

constexpr char kCheckExit[] =
    "Run it as relayd's user, or as root: it then becomes relayd's user (of the relayd that answers on control_socket, "
    "else\nmqtt-relay), so that it sees what relayd sees. It asks keyd, and connects to the remote broker without a "
    "certificate.\n"
    "Exit status: 0 no errors; 1 errors; 2 warnings, with --warnings-as-errors; 64 wrong command line.";

constexpr char kInitExit[] =
    "Asks on a terminal for the first three that no flag says; without one, all three must be there. Certificates that "
    "lie\noutside /etc and /usr are copied beside the configuration. It never touches a private key.\n"
    "Exit status: 0 written; 1 a file can't be written; 64 wrong command line, or an answer is missing; 78 an answer "
    "is "
    "wrong,\nor a file is in the way (--force).";

constexpr char kVerifyExit[] =
    "The same code judges as in a handshake. By the configuration's CAs, CRLs and settings for chains, unless flags "
    "name\nothers; with --cafile the configuration is not read, and what no flag says is that setting's default.\n"
    "Exit status: 0 accepted; 1 refused; 64 wrong command line; 78 the configuration, or a file, can't be used.";

CLI::App* add(CLI::App& app, const char* name, const char* what, const char* footer = kExit) {
  CLI::App* command = app.add_subcommand(name, what);
  command->footer(footer);
  command->fallthrough();  // --config may stand behind it
  return command;
}

}  // namespace

Commands::Commands(CLI::App& app)
    : status_(add(app, "status", "What relayd does now: sums, and each worker")),
      reload_(
          add(app, "reload", "Reads the configuration and the certificates again, as SIGHUP; waits for the outcome")),
      disconnect_(add(app, "disconnect", "Ends the sessions of a client id (MQTT 5: reason 0x98)")),
      check_(add(app, "check", "Would relayd start and relay? And if not, what is to be done?", kCheckExit)),
      init_(add(app, "init", "Writes the configuration: three questions, or flags", kInitExit)),
      verify_(add(app, "verify", "Would this chain of certificates be accepted? And if not, why not?", kVerifyExit)) {
  app.require_subcommand(0, 1);
  status_->add_flag("--json", json_, "As JSON; so it is also into a pipe");
  disconnect_->add_option("CLIENT_ID", client_id_, "Whose")->required();
  check_->add_flag("--json", check_options_.json, "One JSON object");
  check_->add_flag("--warnings-as-errors", check_options_.warnings_as_errors, "Exit status 2 if there are warnings");
  init_->add_option("--remote", init_options_.remote, "The remote broker")->type_name("HOST[:PORT]");
  init_->add_option("--remote-ca", init_options_.remote_ca, "The CAs of the remote broker's certificate, PEM")
      ->type_name("FILE");
  init_->add_option("--device-ca", init_options_.device_ca, "The CAs that issue device certificates, PEM")
      ->type_name("FILE");
  init_
      ->add_option("--listener-certificate", init_options_.listener_certificate,
                   "The chain that devices are shown, PEM; its key is keyd's")
      ->type_name("FILE");
  init_->add_option("--bind", init_options_.bind, "Where devices connect; default 0.0.0.0:8883")
      ->type_name("ADDRESS:PORT");
  init_->add_option("--local", init_options_.local, "The broker of devices without a key here")
      ->type_name("HOST[:PORT]");
  init_->add_flag("--force", init_options_.force, "Replaces what is there, and keeps it as FILE.old");
  verify_->add_option("CHAIN", verify_options_.chain, "PEM, the leaf first; -: standard input")->required();
  verify_->add_option("--as", verify_options_.as, "Whose chain it is: device or remote")
      ->required()
      ->check(CLI::IsMember({"device", "remote"}));
  verify_->add_option("--name", verify_options_.name,
                      "The name or address that it must be for; default, of a remote: the configured one");
  verify_->add_option("--at", verify_at_, "When: 2027-01-15T08:00:00Z, or Unix seconds; default: now")
      ->type_name("TIME")
      ->check([](const std::string& text) { return parse_time(text) ? "" : "no time: " + text; });
  verify_->add_option("--cafile", verify_options_.cafile, "The CAs, PEM, instead of the configuration's")
      ->type_name("FILE");
  verify_->add_option("--crlfile", verify_options_.crlfile, "The CRLs, PEM, instead of the configuration's")
      ->type_name("FILE");
  verify_
      ->add_option("--depth", verify_options_.depth,
                   "Certificates between leaf and root, at most, instead of the configuration's depth")
      ->type_name("N")
      ->check(CLI::Range(0, kMostDepth));
  verify_->add_flag("--partial-chain", verify_options_.partial_chain,
                    "A chain may end at any CA of the trust file, not only at a root");
  verify_
      ->add_option("--crl-check", verify_options_.crl_check,
                   "Of which certificates CRLs are asked: of the leaf, or of the whole chain")
      ->check(CLI::IsMember({"leaf", "chain"}));
  verify_->add_flag("--json", verify_options_.json, "One JSON object");
}

int Commands::run_init(const std::string& config_file) const {
  InitOptions options = init_options_;
  options.config = config_file;
  options.terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
  common::log::open("mqtt-relayd", common::log::Level::error);
  init(options, std::cin, std::cout);
  return 0;
}

int Commands::run_check(const std::string& config_file, const Overrides& overrides) const {
  CheckOptions options = check_options_;
  options.config = config_file;
  options.overrides = overrides;
  options.as_service_user = true;
  common::log::open("mqtt-relayd", common::log::Level::error);  // what relayd's own code would warn of, checks say
  common::harden_process();
  return common::report_checks(run_checks(options), options, std::cout, common::Screen::of(STDOUT_FILENO));
}

int Commands::run_verify(const std::string& config_file, const Overrides& overrides) const {
  VerifyOptions options = verify_options_;
  options.config = config_file;
  options.overrides = overrides;
  if (verify_at_) options.at = parse_time(*verify_at_);
  return verify(options, std::cin, std::cout);
}

// Asks the relayd that runs.
int Commands::run_request(const CLI::App& chosen, const std::string& config_file, const Overrides& overrides) const {
  const std::string socket = control_socket(config_file, overrides);
  Json request = {{"command", chosen.get_name()}};
  if (&chosen == disconnect_) request["client_id"] = client_id_;
  const Json answer = ask(socket, request, &chosen == reload_ ? kReloadPatience : kPatience);
  const auto screen = common::Screen::of(STDOUT_FILENO);
  const Json status = answer.value("status", Json::object());
  if (&chosen != status_) std::cout << common::visible(answer.value("message", "done")) << "\n";
  else if (json_ || !screen.terminal) std::cout << status.dump(2, ' ', /*ensure_ascii=*/true) << "\n";
  else show_status(status, std::cout, screen);
  return 0;
}

std::optional<int> Commands::run(const std::string& config_file, const Overrides& overrides) const {
  const CLI::App* chosen = nullptr;
  for (const CLI::App* command : {status_, reload_, disconnect_, check_, init_, verify_})
    if (*command) chosen = command;
  if (!chosen) return std::nullopt;
  try {
    const int status = chosen == check_    ? run_check(config_file, overrides)
                       : chosen == init_   ? run_init(config_file)
                       : chosen == verify_ ? run_verify(config_file, overrides)
                                           : run_request(*chosen, config_file, overrides);
    std::cout.flush();
    return std::cout ? status : report(*chosen, "its output can't be written", kExitFailed);
  } catch (const MissingAnswer& error) {
    return report(*chosen, error.what(), kExitUsage);
  } catch (const common::ConfigError& error) {
    return report(*chosen, error.what(), kExitConfig);
  } catch (const Unavailable& error) {
    return report(*chosen, error.what(), kExitUnavailable);
  } catch (const std::exception& error) {
    return report(*chosen, error.what(), kExitFailed);
  }
}

}  // namespace relayd::admin
