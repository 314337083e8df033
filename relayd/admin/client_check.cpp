#include "relayd/admin/client_check.h"

#include "ipc/codec.h"
#include "relayd/admin/device_trial.h"
#include "relayd/connector/certificate_file.h"

namespace relayd::admin {
namespace {

DeviceChains chains_of(const CheckContext& context, const DeviceToCheck& device) {
  DeviceChains chains;
  if (!device.certificate.empty()) chains.own = tls::chain_in_file(device.pem, context.now);
  chains.file = certificate_file(context.config, device.client_id);
  if (chains.file.empty()) {
    chains.file = device.certificate;
    chains.shown = chains.own;
    return chains;
  }
  if (!ipc::can_name_a_key(device.client_id)) {
    chains.shown.problem = "no file can have this client id's name";
    return chains;
  }
  try {
    const common::Fd directory = connector::open_certificates(context.config.remote.certs_dir);
    const auto read = connector::read_certificate(directory.get(), device.client_id);
    if (!read.problem.empty()) chains.shown.problem = read.problem;
    else if (read.pem.empty()) chains.shown.problem = "there is no such file";
    else chains.shown = tls::chain_in_file(read.pem, context.now);
  } catch (const std::system_error& error) {
    chains.shown.problem = error.what();
  }
  if (device.certificate.empty()) chains.own = chains.shown;
  return chains;
}

constexpr NamedCheck kBefore[] = {{"listener-certificate", check_listener_certificate},
                                  {"device-authorities", check_device_authorities},
                                  {"revocation-lists", check_revocation_lists},
                                  {"remote-authorities", check_remote_authorities},
                                  {"keyd", check_keyd},
                                  {"listener-key", check_listener_key},
                                  {"remote-name", check_remote_name}};

void add(std::vector<Check>& checks, const char* name, Check check) {
  check.name = name;
  checks.push_back(std::move(check));
}

// Without a chain of the device.
void add_anonymous(const CheckContext& context, const Check& why, std::vector<Check>& checks) {
  add(checks, "certificate", why);
  for (const char* name : {"listener", "client-id", "presence"})
    add(checks, name, {Result::skipped, "needs the device's chain: see certificate"});
  add(checks, "remote", check_remote(context));
}

}  // namespace

std::string certificate_file(const Config& config, const std::string& client_id) {
  const bool own = config.remote.certificate == Config::Remote::Certificate::peer;
  return own ? "" : config.remote.certs_dir + "/" + client_id + ".crt";
}

std::vector<Check> check_client(const CheckOptions& options, const DeviceToCheck& device) {
  auto [configuration, context] = look_around(options);
  std::vector<Check> checks{std::move(configuration)};
  if (context) ask_keyd(*context);
  run(kBefore, context, checks);
  if (!context) return checks;
  const DeviceChains chains = chains_of(*context, device);
  if (chains.file.empty()) {
    add_anonymous(*context,
                  {Result::skipped, "not given, so the device can't be tried",
                   "name the file with the device's chain, PEM, the leaf first: `--certificate FILE`"},
                  checks);
    return checks;
  }
  for (const auto* chain : {&chains.shown, &chains.own})
    if (!chain->problem.empty()) {
      const std::string& file = chain == &chains.shown ? chains.file : device.certificate;
      add_anonymous(*context, {Result::error, file + ": " + chain->problem, "install the device's current chain whole"},
                    checks);
      return checks;
    }
  try {
    const Loaded loaded = load(options.config, options.overrides);
    DeviceTrial trial(*context, device.client_id, loaded.plan, chains);
    add(checks, "certificate", trial.certificate());
    add(checks, "listener", trial.listener());
    add(checks, "client-id", trial.identity());
    add(checks, "presence", trial.presence(device.signer));
    add(checks, "remote", trial.remote(device.connect));
  } catch (const common::ConfigError& error) {
    add_anonymous(*context, {Result::skipped, std::string("the configuration can't be used: ") + error.what()}, checks);
  }
  return checks;
}

}  // namespace relayd::admin
