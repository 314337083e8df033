#include "keyd/admin/commands.h"

#include <algorithm>
#include <iostream>

#include "common/hardening.h"
#include "common/operator/command_line.h"
#include "keyd/admin/audit_show.h"
#include "keyd/admin/audit_verify.h"
#include "keyd/admin/change_report.h"
#include "keyd/admin/check.h"
#include "keyd/admin/client_check.h"
#include "keyd/admin/device_signer.h"
#include "keyd/admin/keys.h"
#include "keyd/startup/options.h"

namespace keyd::admin {
namespace {

using common::add_command, common::CommandFailed;
constexpr size_t kMostCertificate = 1024 * 1024;  // bytes of a file
constexpr char kDefaultConfig[] = "/etc/mqtt-relay/keyd.json";

constexpr char kKeysNotes[] =
    "As root it becomes keyd's user first, to see what keyd sees. With CLIENT_ID it\n"
    "also lists files whose names differ in case or Unicode form: these are not its\n"
    "key. Up to 10,000 keys are sorted by client id.\n"
    "\n"
    "Example: mqtt-relay keys sensor-17\n"
    "\n"
    "Exit status: 0 listed; 1 the keys can't be read, or CLIENT_ID has no usable key;\n"
    "64 wrong command line; 78 wrong configuration.";
constexpr char kImportNotes[] =
    "A key goes in whole, with keyd's owner and mode 0600, and serves from the next\n"
    "connection on. It must be the key of the certificate beside it (CLIENTID.crt,\n"
    "or in the same file), if there is one.\n"
    "\n"
    "Example: mqtt-relay keys import --replace /root/new-keys\n"
    "\n"
    "Exit status: 0 all keys are in place; 1 some are not; 64 wrong command line;\n"
    "66 a folder can't be read; 78 wrong configuration.";
constexpr char kRemoveNotes[] =
    "Takes effect with the next connection. Sessions that are up stay: mqtt-relay\n"
    "drop CLIENT_ID ends them.\n"
    "\n"
    "Example: mqtt-relay keys remove --from-file retired.txt\n"
    "\n"
    "Exit status: 0 all removed; 1 some were not, or had no key; 64 wrong command\n"
    "line; 66 LIST can't be read; 78 wrong configuration.";
constexpr char kVerifyNotes[] =
    "The audit can't show that lines were cut off its end: compare the last number\n"
    "and hash with an earlier note.\n"
    "\n"
    "Examples: journalctl -u mqtt-keyd -o cat | mqtt-relay audit verify -\n"
    "          mqtt-relay audit verify audit.log-20261101 audit.log\n"
    "\n"
    "Exit status: 0 intact; 1 broken; 64 wrong command line; 66 a file can't be read;\n"
    "78 wrong configuration.";
constexpr char kShowNotes[] =
    "TIME is RFC 3339 (2026-11-23T16:20:00Z or 2026-11-23), or 15m, 2h, 1d ago. The\n"
    "column US has the microseconds from a request's arrival to its answer.\n"
    "\n"
    "Example: mqtt-relay audit show --since 1h --denied\n"
    "\n"
    "Exit status: 0 shown; 64 wrong command line; 66 the file can't be read;\n"
    "78 wrong configuration.";

struct CommandLine {
  std::string config = kDefaultConfig;
  Overrides overrides;
  CheckOptions check;
  ClientCheckOptions client;
  DeviceSignerOptions signer;
  KeysOptions keys;
  ImportOptions import;
  RemoveOptions remove;
  VerifyOptions verify;
  ShowOptions show;
};

// The audit file to read when none is named. Throws common::ConfigError.
std::string configured_audit_file(const CommandLine& line) {
  const auto settings = load_settings(line.config, line.overrides);
  if (!settings.audit_file)
    throw common::ConfigError(line.config +
                              ": audit_file is not set, so the audit is in the journal only; name a FILE, or pipe the "
                              "journal in: journalctl -u mqtt-keyd -o cat | mqtt-relay audit … -");
  return settings.audit_file->path;
}

// Reads keys as keyd does, if this is root.
Settings settings_as_keyd(const CommandLine& line) {
  Settings settings = load_settings(line.config, line.overrides);
  if (const uid_t service = service_uid(settings, std::nullopt); geteuid() == 0 && service != 0)
    common::become(service, "keyd's");
  common::harden_process();
  return settings;
}

std::vector<Check> run_client_check(const CommandLine& line) {
  std::string pem, problem;
  try {  // the operator's file, which keyd's user need not be able to read
    if (!line.client.certificate.empty()) pem = common::read_file(line.client.certificate, kMostCertificate);
  } catch (const common::ConfigError& error) {
    problem = error.what();
  }
  std::vector<Check> checks(1);
  try {
    const Settings settings = settings_as_keyd(line);
    checks[0] = {Result::ok, common::understood(line.config, settings.sources)};
    KeyRoom room(settings);
    for (Check& check : check_client(line.client, settings, room.reader, pem, problem))
      checks.push_back(std::move(check));
  } catch (const common::ConfigError& error) {
    checks[0] = {Result::error, error.what(), "correct it there: `editor " + line.config + "`"};
  }
  checks[0].name = "configuration";
  return checks;
}

// On standard input: the other half, with requests for signatures.
int run_signer(const CommandLine& line) {
  const Settings settings = settings_as_keyd(line);
  KeyRoom room(settings);
  sign_as_device(settings.private_keys_dir, room.reader, line.signer, STDIN_FILENO);
  return 0;
}

// The other half prints them.
int run_check(CommandLine& line) {
  if (!line.client.client_id.empty()) {
    std::cout << common::packed(run_client_check(line));
    return 0;
  }
  line.check.config = line.config;
  line.check.overrides = line.overrides;
  line.check.as_service_user = true;
  common::harden_process();
  std::cout << common::packed(run_checks(line.check));
  return 0;
}

int run_keys(const CommandLine& line) {
  const Settings settings = settings_as_keyd(line);
  KeyRoom room(settings);
  const auto summary =
      list_keys(settings.private_keys_dir, room.reader, line.keys, std::cout, Screen::of(STDOUT_FILENO));
  if (line.keys.client_id) {
    std::cerr << verdict_on(*line.keys.client_id, summary) << "\n";
    return summary.found ? 0 : common::kExitFailed;
  }
  std::cerr << counted(summary.keys, "key") << ", " << grouped(summary.problems) << " of them not usable";
  if (summary.others > 0)
    std::cerr << "; " << counted(summary.others, "other file") << " in the directory: see mqtt-relay check keyd";
  std::cerr << "\n";
  return 0;
}

int run_import(const CommandLine& line) {
  const ImportOptions& options = line.import;
  if (options.as && options.sources.size() != 1)
    throw CommandFailed("found --as with " + counted(options.sources.size(), "file") + "; it takes one",
                        common::kExitUsage);
  const Settings settings = load_settings(line.config, line.overrides);
  common::harden_process();
  KeysDirectory directory(settings.private_keys_dir, service_uid(settings, std::nullopt));
  KeyRoom room(settings);
  ImportReport report(options, std::cout, Screen::of(STDOUT_FILENO));
  const auto summary =
      import_keys(options, directory, room, own_keyfiles(settings), [&](const Imported& file) { report.add(file); });
  report.finish();
  std::cerr << in_words(summary, options) << "\n";
  return summary.refused == 0 ? 0 : common::kExitFailed;
}

int run_remove(const CommandLine& line) {
  const Settings settings = load_settings(line.config, line.overrides);
  KeysDirectory directory(settings.private_keys_dir, service_uid(settings, std::nullopt));
  RemoveReport report(line.remove, std::cout, Screen::of(STDOUT_FILENO));
  const auto summary = remove_keys(line.remove, directory, [&](const Removed& key) { report.add(key); });
  std::cerr << in_words(summary) << "\n";
  return summary.failed == 0 ? 0 : common::kExitFailed;
}

int run_verify(CommandLine& line) {
  auto& files = line.verify.files;
  if (files.empty()) files.push_back(configured_audit_file(line));
  if (files.size() > 1 && std::find(files.begin(), files.end(), "-") != files.end())
    throw CommandFailed("found - among several files; - stands alone", common::kExitUsage);
  return audit_verify(line.verify, std::cout, Screen::of(STDOUT_FILENO));
}

int run_show(CommandLine& line) {
  if (line.show.file.empty()) line.show.file = configured_audit_file(line);
  const uint64_t others = audit_show(line.show, std::cout, Screen::of(STDOUT_FILENO));
  // A journal also has other lines.
  if (others > 0 && line.show.file != "-")
    std::cerr << counted(others, "line") << " not shown: not audit lines; see mqtt-relay audit verify\n";
  return 0;
}

void add_config(CLI::App& command, std::string& config) {
  command.add_option("--config", config, std::string("keyd's configuration; default ") + kDefaultConfig)
      ->type_name("FILE");
}

void define_check(CLI::App& app, CommandLine& line) {
  CLI::App* check = add_command(app, "check", "");
  check->add_flag("--configuration-only", line.check.configuration_only, "Look at nothing else");
  check->add_option("--client", line.client.client_id, "Check only this device's key")->type_name("CLIENT_ID");
  check->add_option("--certificate", line.client.certificate, "The chain that the remote broker will see")
      ->type_name("FILE");
  check->add_flag("--certificate-files", line.check.certificate_files, "relayd takes devices' certificates from files");
  check->add_option("--device-wait", line.check.device_wait_ms, "from relayd's timeouts, in ms");
  check->add_option("--listener-cert", line.check.listener_certificate, "relayd's listener.certfile")
      ->type_name("FILE");
  check->add_option("--remote-name", line.check.remote_names, "A server name that relayd asks a remote broker for");
  check->add_option("--remote-alpn", line.check.remote_alpn, "relayd's remote.alpn, one protocol each time");
  add_config(*check, line.config);
}

// Not for operators: the other half's.
void define_signer(CLI::App& app, CommandLine& line) {
  CLI::App* signer =
      app.add_subcommand("sign-as-device", "Sign a device's own handshakes; requests on standard input.");
  signer->add_option("--client", line.signer.client_id, "Whose key")->required();
  signer->add_option("--signatures", line.signer.signatures, "How many at most");
  add_config(*signer, line.config);
}

void define_import(CLI::App& keys, CommandLine& line) {
  ImportOptions& options = line.import;
  CLI::App* import = add_command(keys, "keys import", kImportNotes)->fallthrough(false);
  import->add_option("SOURCE", options.sources, "Files named CLIENTID.pem, or directories of them; with --as one file")
      ->required();
  import->add_option("--as", options.as, "The key is this client id's; SOURCE is any file, or - for standard input")
      ->type_name("CLIENT_ID");
  import->add_option("--certificates", options.certificates, "Where the certificates are, instead of beside the keys")
      ->type_name("DIR");
  import->add_flag("--replace", options.replace, "Replace keys that are there already");
  import->add_flag("--all-or-nothing", options.all_or_nothing, "Check all first; write nothing if one is refused");
  import->add_flag("--dry-run", options.dry_run, "Write nothing, only say what would be done");
  import->add_flag("--json", options.json, "One JSON object a line, for each key");
  add_config(*import, line.config);
}

void define_remove(CLI::App& keys, CommandLine& line) {
  CLI::App* remove = add_command(keys, "keys remove", kRemoveNotes)->fallthrough(false);
  remove->add_option("CLIENT_ID", line.remove.client_ids, "Whose keys are removed");
  remove->add_option("--from-file", line.remove.list, "More client ids, one a line; - for standard input")
      ->type_name("LIST");
  remove->add_flag("--json", line.remove.json, "One JSON object a line, for each client id");
  add_config(*remove, line.config);
}

void define_keys(CLI::App& app, CommandLine& line) {
  CLI::App* keys = add_command(app, "keys", kKeysNotes);
  keys->add_option("CLIENT_ID", line.keys.client_id, "Only this client id's key, and files with a similar name");
  keys->add_flag("--wide", line.keys.wide, "Whole hashes, on a terminal as well");
  keys->add_flag("--json", line.keys.json, "One JSON object a line, for each key");
  add_config(*keys, line.config);
  keys->require_subcommand(0, 1);
  define_import(*keys, line);
  define_remove(*keys, line);
}

void define_verify(CLI::App& audit, CommandLine& line) {
  CLI::App* verify = add_command(audit, "audit verify", kVerifyNotes);
  verify
      ->add_option("FILE", line.verify.files,
                   "Files of one audit, oldest first, or - alone for a journal on standard input; default: audit_file "
                   "of the configuration")
      ->type_name("FILE");
  verify->add_flag("--json", line.verify.json, "One JSON object");
  add_config(*verify, line.config);
}

void define_show(CLI::App& audit, CommandLine& line) {
  ShowOptions& options = line.show;
  CLI::App& show = *add_command(audit, "audit show", kShowNotes);
  show.add_option("FILE", options.file, "The audit; - for standard input; default: audit_file of the configuration");
  show.add_option("--client", options.client, "Only this client id")->type_name("ID");
  const auto time_option = [&](const char* flag, std::optional<int64_t>& into, const char* what) {
    const auto parse = [flag, &into](const std::string& text) {
      into = parse_time(text, now_us());
      if (!into)
        throw CLI::ValidationError(
            flag,
            "found \"" + text +
                "\"; allowed: a time such as 2026-11-23T16:20:00Z or 2026-11-23, or an age such as 15m, 2h or 1d");
    };
    show.add_option_function<std::string>(flag, parse, what)->type_name("TIME");
  };
  time_option("--since", options.since_us, "Only from this time on");
  time_option("--until", options.until_us, "Only up to this time");
  show.add_flag("--denied", options.denied, "Only what was not answered with ok");
  show.add_option("--worker", options.worker, "Only this worker")->type_name("N");
  show.add_option("--event", options.event, "Only this event: start, connect, lookup, sign, …")->type_name("EVENT");
  show.add_option("--handshake", options.handshake, "Only this handshake of a device, by its first digits")
      ->type_name("HEX");
  show.add_option("--limit", options.limit, "Only the last N lines")
      ->type_name("N")
      ->check(CLI::Validator(CLI::PositiveNumber).description(""));
  show.add_flag("--json", options.json, "The lines as they are, instead of a table");
  add_config(show, line.config);
}

}  // namespace

int command_line(int argc, char** argv) {
  CLI::App app;
  CommandLine line;
  common::set_up(app);
  add_config(app, line.config);
  define_check(app, line);
  define_signer(app, line);
  define_keys(app, line);
  CLI::App* audit = app.add_subcommand("audit", "Read what keyd was asked, and what it answered.")->fallthrough();
  define_verify(*audit, line);
  define_show(*audit, line);
  if (const auto status = common::parse_command_line(app, {argv + 1, argv + argc})) return *status;
  const std::string name = common::chosen(app);
  return common::run_command(name, [&] {
    if (const std::string error = common::take_environment(options_of(line.overrides)); !error.empty())
      throw CommandFailed(error, common::kExitUsage);
    if (name == "check") return run_check(line);
    if (name == "sign-as-device") return run_signer(line);
    if (name == "keys") return run_keys(line);
    if (name.starts_with("keys") && (line.keys.client_id || line.keys.wide || line.keys.json))
      throw CommandFailed("what stands before the command's last word belongs to keys alone", common::kExitUsage);
    if (name == "keys import") return run_import(line);
    if (name == "keys remove") return run_remove(line);
    return name == "audit verify" ? run_verify(line) : run_show(line);
  });
}

}  // namespace keyd::admin
