#include "relayd/admin/check.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "common/fd.h"
#include "common/unix_address.h"
#include "relayd/admin/remote_probe.h"

namespace relayd::admin {
namespace {

constexpr common::Milliseconds kResolve{10'000};

// In the order in which an operator would repair things.
constexpr NamedCheck kChecks[] = {{"user", check_user},
                                  {"listener-certificate", check_listener_certificate},
                                  {"device-authorities", check_device_authorities},
                                  {"revocation-lists", check_revocation_lists},
                                  {"remote-authorities", check_remote_authorities},
                                  {"device-certificates", check_device_certificates},
                                  {"keyd", check_keyd},
                                  {"listener-key", check_listener_key},
                                  {"source-addresses", check_source_addresses},
                                  {"remote-name", check_remote_name},
                                  {"remote", check_remote},
                                  {"local-broker", check_local_broker},
                                  {"devices", check_devices},
                                  {"listener-address", check_listener_address},
                                  {"open-files", check_open_files},
                                  {"landlock", check_landlock},
                                  {"seccomp", check_seccomp}};

// The process that listens on the control socket. nullopt: there is none, or this user may not connect to it.
std::optional<ucred> who_listens(const std::string& path) {
  const auto address = common::UnixAddress::of(path);
  if (path.empty() || !address) return std::nullopt;
  const common::Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ucred listener{};
  socklen_t size = sizeof listener;
  if (!probe || connect(probe.get(), address->get(), address->kSize) != 0 ||
      getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0)
    return std::nullopt;
  return listener;
}

// relayd's user: that of the running relayd, otherwise the package's. 0: unknown.
uid_t service_uid(const std::optional<ucred>& running) {
  if (running) return running->uid;
  const passwd* packaged = getpwnam("mqtt-relay");
  return packaged ? packaged->pw_uid : 0;
}

Check read(const CheckOptions& options, std::optional<Config>& config) {
  common::ConfigSources sources;
  try {
    config = read_config(options.config, options.overrides, &sources);
  } catch (const common::ConfigError& error) {
    return {Result::error, error.what(), "correct it there: `editor " + options.config + "`"};
  }
  if (!config->brokers.empty()) return {Result::ok, common::understood(options.config, sources)};
  return {Result::error, options.config + ": remote_host is not set",
          "`mqtt-relay init` asks for it; or set it there: `editor " + options.config + "`"};
}

Check check_configuration(const CheckOptions& options, std::optional<Config>& config) {
  Check check = read(options, config);
  check.name = "configuration";
  return check;
}

}  // namespace

Check each_listener(const CheckContext& context, ListenerCheck check) {
  std::vector<std::pair<std::string, Check>> each;
  for (const auto& listener : context.config.listeners) each.emplace_back(listener.name, check(context, listener));
  return common::combined(each, "listener");
}

std::pair<Check, std::optional<CheckContext>> look_around(const CheckOptions& options) {
  std::optional<Config> config;
  Check configuration = check_configuration(options, config);
  if (!config) return {std::move(configuration), std::nullopt};
  CheckContext context;
  context.running = who_listens(config->control_socket);
  getrlimit(RLIMIT_NOFILE, &context.open_files);
  if (context.running) prlimit(context.running->pid, RLIMIT_NOFILE, nullptr, &context.open_files);
  if (options.as_service_user && geteuid() == 0) {
    context.from_root = true;
    if (const uid_t service = service_uid(context.running); service != 0) {
      common::become(service, "relayd's");
      configuration = check_configuration(options, config);  // as that user, which must be able to read it
    }
  }
  context.config_file = options.config;
  context.config = *config;
  context.now = time(nullptr);
  context.self = geteuid();
  context.landlock_abi = common::landlock_abi();
  context.seccomp = common::has_seccomp_filters();
  for (const Config::Broker& broker : config->brokers) {
    if (config->remote.proxy && !context.brokers.empty()) {
      context.brokers.push_back(context.brokers.front());
      continue;
    }
    auto& [addresses, problem] = context.brokers.emplace_back();
    const auto& [host, port] = config->remote.proxy ? config->remote.proxy->at : broker.at;
    addresses = resolve(host, port, kResolve, problem);
  }
  return {std::move(configuration), std::move(context)};
}

void run(std::span<const NamedCheck> checks, const std::optional<CheckContext>& context, std::vector<Check>& outcomes) {
  for (const NamedCheck& check : checks) {
    Check done = context ? check.run(*context) : Check{Result::skipped, "needs a configuration"};
    done.name = check.name;
    outcomes.push_back(std::move(done));
  }
}

std::vector<Check> run_checks(const CheckOptions& options) {
  auto [configuration, context] = look_around(options);
  if (context) ask_keyd(*context);
  std::vector<Check> checks{std::move(configuration)};
  run(kChecks, context, checks);
  return checks;
}

}  // namespace relayd::admin
