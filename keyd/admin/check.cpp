#include "keyd/admin/check.h"
#include "keyd/startup/serve.h"

#include "keyd/admin/audit_show.h"
#include "keyd/admin/not_a_key.h"
#include "keyd/startup/audit_file.h"
#include "keyd/startup/key_places.h"

namespace keyd::admin {
namespace {

constexpr size_t kMaxCertificate = 1024 * 1024;

struct NamedCheck {
  const char* name;
  Check (*run)(const CheckContext&);
};
// In the order in which an operator would repair things.
constexpr NamedCheck kChecks[] = {{"user", check_user},
                                  {"keys-directory", check_keys_directory},
                                  {"key-files", check_key_files},
                                  {"key-algorithms", check_key_algorithms},
                                  {"key-names", check_key_names},
                                  {"listener-key", check_listener_key},
                                  {"local-key", check_local_key},
                                  {"listener-certificate", check_listener_certificate},
                                  {"presence", check_presence},
                                  {"bind-remote", check_bind_remote},
                                  {"bind-device", check_bind_device},
                                  {"key-passphrase-file", check_key_passphrase_file},
                                  {"audit-file", check_audit_file},
                                  {"allowed-users", check_allowed_users},
                                  {"socket", check_socket},
                                  {"clock", check_clock},
                                  {"locked-memory", check_locked_memory},
                                  {"landlock", check_landlock},
                                  {"seccomp", check_seccomp},
                                  {"memfd-secret", check_memfd_secret}};

// The notary itself judges the authorities, because only its program contains libcrypto, which validates chains. Ask
// before any key is read: the notary's guardian is a fork of this process.
CheckContext::NotaryProblem ask_notary(const Settings& settings) {
  try {
    notary_for(settings, {common::log::Level::error});
    return {};
  } catch (const common::ConfigError& error) {
    return {error.what(), true};
  } catch (const std::exception& error) {
    return {error.what()};
  }
}

void ask_notary(CheckContext& context) {
  Settings remote = context.settings, device = context.settings;
  remote.bind_device.reset();
  device.bind_remote.reset();
  context.remote_notary = ask_notary(remote);
  context.device_notary = ask_notary(device);
}

void read_own_key(const ConfiguredPath& from, KeyReader& reader, CheckContext::RelaydKey& own) {
  try {
    const KeyStore::Place place = open_own_key_dir(from);
    const std::string file = place.path.substr(place.path.rfind('/') + 1);
    const KeyFile read = reader.read(place.directory.get(), file, place.path);
    if (read.key) own.key = read.key->info();
    own.problem = explained(read.problem, place.directory.get(), file);
  } catch (const std::runtime_error& error) {
    own.problem = error.what();
  }
}

}  // namespace

Check check_configuration(const CheckOptions& options, std::optional<Settings>& settings) {
  try {
    settings = load_settings(options.config, options.overrides);
    return {Result::ok, common::understood(options.config, settings->sources)};
  } catch (const common::ConfigError& error) {
    return {Result::error, error.what(), "correct it there: `editor " + options.config + "`"};
  }
}

CheckContext look_around(const Settings& settings, const CheckOptions& options) {
  CheckContext context;
  context.settings = settings;
  context.config = options.config;
  context.listener_certificate = options.listener_certificate;
  context.device_wait_ms = options.device_wait_ms;
  context.certificate_files = options.certificate_files;
  context.remote_names = options.remote_names;
  context.remote_alpn = options.remote_alpn;
  context.kernel = look_at_kernel();
  context.now_ns = now_us() * 1000;
  // relayd's file, which keyd's user need not be able to read.
  try {
    if (!options.listener_certificate.empty())
      context.certificate_pem = common::read_file(options.listener_certificate, kMaxCertificate);
  } catch (const common::ConfigError& error) {
    context.certificate_problem = error.what();
  }
  try {
    context.running = who_listens(settings.socket);
  } catch (const std::runtime_error& error) {
    context.socket_problem = error.what();
  }
  if (options.as_service_user && geteuid() == 0) {
    const auto running = context.running ? std::optional(context.running->uid) : std::nullopt;
    const uid_t service = service_uid(settings, running);
    if (service != 0) common::become(service, "keyd's");
    context.from_root = true;
  }
  context.self = geteuid();
  ask_notary(context);
  try {
    if (settings.audit_file) read_audit_tail(open_audit_file(*settings.audit_file), *settings.audit_file);
  } catch (const std::runtime_error& error) {
    context.audit_problem = error.what();
  }
  for (const auto& [file, role] : own_keyfiles(settings)) {
    auto& own = context.own.emplace_back(CheckContext::RelaydKey{file.path, role});
    try {
      keep_apart(open_keys_dir(settings.private_keys_dir), open_own_key_dir(file, role), file);
    } catch (const common::ConfigError& error) {
      own.place = error.what();
    } catch (const std::runtime_error&) {  // check_keys_directory and check_listener_key report it
    }
  }
  try {
    // Locks as much as serving needs, before this process locks memory for itself.
    { const SecureSlots as_when_serving(LockedSlots(settings).all(), sizeof(PrivateKey)); }
    KeyRoom room(settings);
    context.passphrase_problem = room.passphrase_problem;
    for (auto& own : context.own) read_own_key({own.path, ""}, room.reader, own);
    context.keys = count_keys(settings.private_keys_dir, room.reader, context.own);
  } catch (const std::runtime_error& error) {
    context.locked_memory = error.what();
  }
  return context;
}

std::vector<Check> run_checks(const CheckOptions& options) {
  std::optional<Settings> settings;
  std::vector<Check> checks{check_configuration(options, settings)};
  checks.back().name = "configuration";
  if (options.configuration_only) return checks;
  std::optional<CheckContext> context;
  if (settings) context = look_around(*settings, options);
  for (const NamedCheck& check : kChecks) {
    Check done = context ? check.run(*context) : Check{Result::skipped, "needs a configuration"};
    done.name = check.name;
    checks.push_back(std::move(done));
  }
  return checks;
}

}  // namespace keyd::admin
