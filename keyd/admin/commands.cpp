#include "keyd/admin/commands.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "common/log.h"
#include "common/version.h"
#include "keyd/admin/audit_show.h"
#include "keyd/admin/audit_verify.h"
#include "keyd/admin/check.h"
#include "keyd/admin/keys.h"

namespace keyd::admin {
namespace {

namespace log = common::log;
constexpr int kExitUsage = 64, kExitNoInput = 66, kExitConfig = 78;  // sysexits.h
constexpr char kDefaultConfig[] = "/etc/mqtt-relay/keyd.json";

constexpr char kServeHelp[] =
    "Without a command it serves, in the foreground.\n"
    "Precedence: a flag, then its environment variable, then the configuration file.\n"
    "The audit goes to standard output, the log to standard error.\n"
    "Exit status: 0 stopped by SIGTERM or SIGINT; 64 wrong command line; 78 wrong configuration; 1 "
    "anything else. Commands have their own: mqtt-keyd COMMAND --help.";
constexpr char kCheckHelp[] =
    "Run it as keyd's user, or as root: it then becomes keyd's user (of the keyd that runs, else mqtt-keyd, else the\n"
    "owner of the keys), so that it sees what keyd sees. It reads every key file, and knocks at the socket; a running\n"
    "keyd that does not know this user writes that into its audit as a refused connection.\n"
    "Exit status: 0 no errors; 1 errors; 2 warnings, with --warnings-as-errors; 64 wrong command line.";
constexpr char kKeysHelp[] =
    "Root becomes keyd's user first, as for check. Sorted by client id; beyond 10,000 keys as they come. --json prints "
    "one object a line.\n"
    "With a CLIENT_ID: its key, and files that differ from it in case or Unicode form only, which are not its key.\n"
    "Exit status: 0, whatever is found; 1 the keys can't be read, or CLIENT_ID has none that can be used; 78 wrong "
    "configuration; 64 wrong command line.";
constexpr char kVerifyHelp[] =
    "Several files are one audit, oldest first. Without a FILE it is audit_file of the configuration.\n"
    "A journal: journalctl -u mqtt-keyd -o cat | mqtt-keyd audit verify -\n"
    "A chain can't show lines that were cut off its end: compare the last number and hash with an earlier note.\n"
    "Exit status: 0 intact; 1 broken; 66 a file can't be read; 78 wrong configuration; 64 wrong command line.";
constexpr char kShowHelp[] =
    "T is RFC 3339 (2026-11-23T16:20:00Z, or a day), or so long ago: 15m, 2h, 1d. US is the time from a request's\n"
    "arrival to its answer. Colour on a terminal only; a pipe gets the same table, or with --json the lines as they "
    "are.\n"
    "Exit status: 0 shown; 66 the file can't be read; 78 wrong configuration; 64 wrong command line.";

// What a command says when it does not work, in the operator's own terminal.
int failed(const std::string& command, const std::string& what, int status) {
  std::cerr << "mqtt-keyd " << command << ": " << visible(what) << "\n";
  return status;
}

struct CommandLine {
  std::string config;
  Overrides overrides;
  CheckOptions check;
  KeysOptions keys;
  VerifyOptions verify;
  ShowOptions show;

  std::string config_or_default() const { return config.empty() ? kDefaultConfig : config; }
};

// The audit file that is meant when none is named. Throws common::ConfigError.
std::string configured_audit_file(const CommandLine& line) {
  const std::string file = line.config_or_default();
  const auto settings = load_settings(file, line.overrides);
  if (!settings.audit_file)
    throw common::ConfigError(file +
                              ": audit_file is not set, so that the audit is in the journal only; name a FILE, or "
                              "pipe the journal in: journalctl -u mqtt-keyd -o cat | mqtt-keyd audit … -");
  return settings.audit_file->path;
}

int run_check(CommandLine& line) {
  line.check.config = line.config_or_default();
  line.check.overrides = line.overrides;
  line.check.as_service_user = true;
  close_process();
  return report_checks(run_checks(line.check), line.check, std::cout, Screen::of(STDOUT_FILENO));
}

int run_keys(const CommandLine& line) {
  const Settings settings = load_settings(line.config_or_default(), line.overrides);
  if (const uid_t service = service_uid(settings, std::nullopt); geteuid() == 0 && service != 0)
    common::become(service, "keyd's");
  close_process();
  KeyRoom room(settings);
  const auto summary =
      list_keys(settings.private_keys_dir, room.reader, line.keys, std::cout, Screen::of(STDOUT_FILENO));
  if (line.keys.client_id) {
    std::cerr << verdict_on(*line.keys.client_id, summary) << "\n";
    return summary.found ? 0 : 1;
  }
  std::cerr << counted(summary.keys, "key") << ", " << grouped(summary.problems) << " of them not usable";
  if (summary.others > 0)
    std::cerr << "; " << counted(summary.others, "other file") << " in the directory: see mqtt-keyd check";
  std::cerr << "\n";
  return 0;
}

int run_verify(CommandLine& line) {
  auto& files = line.verify.files;
  if (files.empty()) files.push_back(configured_audit_file(line));
  if (files.size() > 1 && std::find(files.begin(), files.end(), "-") != files.end())
    return failed("audit verify", "found - among several files; - stands alone", kExitUsage);
  return audit_verify(line.verify, std::cout, Screen::of(STDOUT_FILENO));
}

int run_show(CommandLine& line) {
  if (line.show.file.empty()) line.show.file = configured_audit_file(line);
  const uint64_t others = audit_show(line.show, std::cout, Screen::of(STDOUT_FILENO));
  // Of a journal it is expected.
  if (others > 0 && line.show.file != "-")
    std::cerr << counted(others, "line") << " not shown: no audit lines; see mqtt-keyd audit verify\n";
  return 0;
}

CLI::App* add_command(CLI::App& to, CommandLine& line, const char* name, const char* what, const char* footer) {
  CLI::App* command = to.add_subcommand(name, what);
  command->add_option("--config", line.config, std::string("Configuration file; default ") + kDefaultConfig)
      ->type_name("FILE");
  command->footer(footer);
  command->fallthrough();  // the flags of keyd itself may stand behind the command as well
  return command;
}

void define_show(CLI::App& show, ShowOptions& options) {
  show.add_option("FILE", options.file, "The audit; - is standard input. Default: audit_file of the configuration");
  show.add_option("--client", options.client, "Of this client id")->type_name("ID");
  const auto time_option = [&](const char* flag, std::optional<int64_t>& into, const char* what) {
    const auto parse = [flag, &into](const std::string& text) {
      into = parse_time(text, now_us());
      if (!into)
        throw CLI::ValidationError(flag, "found \"" + text +
                                             "\"; expected a time as 2026-11-23T16:20:00Z or 2026-11-23, "
                                             "or so long ago, as 15m, 2h or 1d");
    };
    show.add_option_function<std::string>(flag, parse, what)->type_name("T");
  };
  time_option("--since", options.since_us, "From then on");
  time_option("--until", options.until_us, "Up to then");
  show.add_flag("--denied", options.denied, "Only what was not answered with ok");
  show.add_option("--worker", options.worker, "Of this worker")->type_name("N");
  show.add_option("--event", options.event, "start, connect, lookup, sign, malformed, resumed, …")->type_name("E");
  show.add_flag("--json", options.json, "The lines as they are");
  show.add_option("--limit", options.limit, "The last N that fit")->type_name("N")->check(CLI::PositiveNumber);
}

void define_serve(CLI::App& app, CommandLine& line) {
  app.footer(kServeHelp);
  app.set_version_flag("--version", common::version_of("mqtt-keyd"));
  app.add_option("--config", line.config, "Configuration file, JSON with comments")->type_name("FILE");
  app.add_option("--private-keys-dir", line.overrides.private_keys_dir,
                 "Directory of the device keys, each CLIENTID.pem")
      ->envname("MQTT_RELAY_PRIVATE_KEYS_DIR")
      ->type_name("DIR");
  app.add_option("--log-level", line.overrides.log_level, "Least level that is logged")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  app.require_subcommand(0, 1);
}

int serve_with(const CommandLine& line, const std::function<void(const Settings&)>& serve) {
  log::open("mqtt-keyd", log::Level::info);
  try {
    const Settings settings = load_settings(line.config, line.overrides);
    log::open("mqtt-keyd", settings.log_level);
    serve(settings);
    return 0;
  } catch (const common::ConfigError& error) {
    log::error(error.what());
    return kExitConfig;
  } catch (const std::exception& error) {
    log::error(error.what());
    return 1;
  }
}

int run_command(const std::string& name, const std::function<int()>& run) {
  try {
    const int status = run();
    std::cout.flush();
    return std::cout ? status : failed(name, "its output can't be written", 1);
  } catch (const common::ConfigError& error) {
    return failed(name, error.what(), kExitConfig);
  } catch (const InputError& error) {
    return failed(name, error.what(), kExitNoInput);
  } catch (const std::exception& error) {
    return failed(name, error.what(), 1);
  }
}

}  // namespace

int command_line(int argc, char** argv, const std::function<void(const Settings&)>& serve) {
  CLI::App app("keyd keeps the devices' private keys and signs their TLS handshakes for relayd.");
  CommandLine line;
  define_serve(app, line);
  CLI::App* check =
      add_command(app, line, "check", "Would keyd start and serve? And if not, what is to be done?", kCheckHelp);
  check->add_flag("--json", line.check.json, "One JSON object");
  check->add_flag("--warnings-as-errors", line.check.warnings_as_errors, "Exit status 2 if there are warnings");
  check
      ->add_option("--listener-cert", line.check.listener_certificate,
                   "relayd's listener.certfile, to compare with the key")
      ->type_name("FILE");
  CLI::App* keys = add_command(app, line, "keys", "Which keys there are, and which of them can be used", kKeysHelp);
  keys->add_option("CLIENT_ID", line.keys.client_id, "Only its key, and files whose names come close");
  keys->add_flag("--json", line.keys.json, "A line of JSON for each key");
  keys->add_flag("--wide", line.keys.wide, "Whole hashes on a terminal too");
  CLI::App* audit = app.add_subcommand("audit", "What keyd was asked: verify, show");
  audit->require_subcommand(1)->fallthrough();
  CLI::App* verify = add_command(*audit, line, "verify", "Whether the audit is whole", kVerifyHelp);
  verify->add_option("FILE", line.verify.files, "The audit; - alone is standard input, a journal");
  verify->add_flag("--json", line.verify.json, "One JSON object");
  CLI::App* show = add_command(*audit, line, "show", "The audit, filtered, as a table", kShowHelp);
  define_show(*show, line.show);
  try {
    app.parse(argc, argv);
    // Not ->required(): a wrong word is the better error, and commands have a default.
    if (app.get_subcommands().empty() && line.config.empty()) throw CLI::RequiredError("--config");
  } catch (const CLI::ExtrasError& error) {
    app.exit(error);
    std::cerr << "Commands are: check, keys, audit verify, audit show\n";
    return kExitUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (*check) return run_command("check", [&] { return run_check(line); });
  if (*keys) return run_command("keys", [&] { return run_keys(line); });
  if (*verify) return run_command("audit verify", [&] { return run_verify(line); });
  if (*show) return run_command("audit show", [&] { return run_show(line); });
  const int status = serve_with(line, serve);
  log::finish();
  return status;
}

}  // namespace keyd::admin
