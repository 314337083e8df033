#include "relayd/admin/client_check.h"

#include <sys/random.h>

#include <memory>

#include "common/operator/terminal.h"
#include "common/trust/names.h"
#include "common/trust/validity.h"
#include "ipc/codec.h"
#include "relayd/admin/remote_probe.h"
#include "relayd/admin/stand_in.h"

#include "relayd/connector/certificate_file.h"
#include "relayd/mqtt/client_packets.h"
#include "relayd/session/key_advice.h"
#include "relayd/supervisor/key_check.h"
#include "relayd/tls/file_chain.h"
#include "relayd/tls/from_plan.h"

namespace relayd::admin {
namespace {

using common::day_of;

constexpr int64_t kSoon = 30 * 86'400;  // seconds
constexpr common::Milliseconds kPatience{10'000};
constexpr uint16_t kKeepAlive = 30;  // seconds

uint64_t new_session() {
  uint64_t number = 0;
  while (number == 0)
    if (getrandom(&number, sizeof number, 0) < 0) throw std::system_error(errno, std::generic_category(), "getrandom");
  return number;
}

// The chain that the remote broker sees, and the one that the listener sees.
struct Chains {
  std::string file;  // of the first
  tls::FileChain shown, own;
};

Chains chains_of(const CheckContext& context, const DeviceToCheck& device) {
  Chains chains;
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

// A device whose chain was read.
class Trial {
 public:
  Trial(const CheckContext& context, const DeviceToCheck& device, const Plan& plan, const Chains& chains)
      : context_(context),
        device_(device),
        plan_(plan),
        chains_(chains),
        keyd_(loop_.get(), {.socket_path = context.config.keyd_socket, .worker = kOperator, .timeout = kPatience}) {}

  Check certificate();
  Check client_id();
  Check listener();
  Check presence();
  Check remote();

 private:
  struct Try {
    ipc::Origin origin;
    tls::DeviceProof proof;
  };
  Check listener_accepts(size_t nth);
  Check has_own_id(const Config::Listener& listener);
  Check look_up(const Try& attempt);
  Check remote(size_t nth);

  const CheckContext& context_;
  const DeviceToCheck& device_;
  const Plan& plan_;
  const Chains& chains_;
  Loop loop_;
  ipc::Client keyd_;
  std::optional<size_t> accepted_by_;  // a listener
  std::vector<Try> tries_;             // one for each broker, if keyd signs
};

Check Trial::certificate() {
  const auto& chain = chains_.shown.chain;
  const auto identity = tls::identity_of(chain);
  const auto certificates = chain.certificates();
  int64_t until = INT64_MAX;  // of whichever expires first
  for (const auto& der : certificates) until = std::min(until, trust::validity_of(der)->until);
  const size_t more = certificates.size() - 1;
  const std::string found = chains_.file + ": \"" + identity.subject + "\", serial " + identity.serial + ", SHA-256 " +
                            identity.fingerprint + ", valid until " + day_of(until) +
                            (more > 0 ? ", with " + common::counted(more, "issuer") : "");
  if (until >= context_.now + kSoon) return {Result::ok, found};
  return {Result::warning, found, "it expires within 30 days: renew the device's certificate, or its issuer's"};
}

Check Trial::has_own_id(const Config::Listener& listener) {
  if (device_.client_id.size() > listener.max_clientid_len)
    return {Result::error,
            std::to_string(device_.client_id.size()) + " bytes; " + listener.setting_of("max_clientid_len") +
                " allows " + std::to_string(listener.max_clientid_len),
            "shorten the client id, or raise " + listener.setting_of("max_clientid_len")};
  const auto from = listener.client_id_from;
  if (from == Config::ClientIdFrom::any) return {Result::ok, "the listener takes any client id"};
  auto [common_name, names] = tls::names_in(chains_.own.chain);
  if (from == Config::ClientIdFrom::cn) names = {common_name};
  if (std::ranges::find(names, device_.client_id) != names.end())
    return {Result::ok, "it is a name in the certificate (" + listener.setting_of("client_id_from") + ")"};
  std::string all;
  for (const std::string& name : names) all.append(all.empty() ? "" : ", ").append(name);
  return {Result::error, "it is not a name in the certificate, which has: " + all,
          "give the device a client id or a certificate that fits " + listener.setting_of("client_id_from")};
}

Check Trial::client_id() {
  std::vector<std::pair<std::string, Check>> each;
  for (const auto& listener : context_.config.listeners) each.emplace_back(listener.name, has_own_id(listener));
  return common::combined(each, "listener");
}

Check Trial::listener_accepts(size_t nth) {
  const auto& listener = context_.config.listeners[nth];
  const auto validator = tls::make_validator(tls::server_options(plan_, nth));
  if (!validator)
    return {Result::error, listener.setting_of("verify") + " is verify_none, so it asks no device for a certificate",
            "set " + listener.setting_of("verify") + " to \"verify_peer\""};
  const auto verdict = validator->validate(chains_.own.chain.certificates(), context_.now);
  if (!verdict.accepted())
    return {Result::error, "it refuses the device: " + verdict.refusal->text(), verdict.refusal->advice};
  if (!accepted_by_) accepted_by_ = nth;
  const std::string crls = listener.crlfile.empty() ? ", without CRLs" : " and " + listener.setting_of("crlfile");
  return {Result::ok, "it accepts the device, by " + listener.setting_of("cacertfile") + crls + ", until " +
                          day_of(verdict.until) + " at most"};
}

Check Trial::listener() {
  std::vector<std::pair<std::string, Check>> each;
  for (size_t i = 0; i < context_.config.listeners.size(); i++)
    each.emplace_back(context_.config.listeners[i].name, listener_accepts(i));
  return common::combined(each, "listener");
}

Check Trial::look_up(const Try& attempt) {
  const auto& spki = chains_.shown.chain.spki;
  struct {
    bool arrived = false;
    ipc::Status status{};
  } answer;
  const ipc::Lookup lookup{ipc::Role::device, spki, attempt.origin, device_.client_id, "", attempt.proof.view()};
  const auto ticket = keyd_.lookup(lookup, [&](const ipc::Client::Answer& came) {
    answer = {came.arrived, came.status};
    loop_.stop();
  });
  if (ticket) loop_.run();
  if (!answer.arrived) return {Result::error, "keyd did not answer", "see keyd's log: `journalctl -u mqtt-keyd`"};
  if (answer.status == ipc::Status::ok)
    return {Result::ok, keyd_.require_presence() ? "keyd has the key, and takes a handshake that it signs as proof of "
                                                   "the device's presence"
                                                 : "keyd has the key; it asks for no proof of presence"};
  if (answer.status == ipc::Status::not_found)
    return {Result::error, "keyd has no key " + device_.client_id + ".pem",
            "see key; does keyd read another directory?"};
  const auto [problem, fix] = advice_on_key(answer.status, device_.client_id, spki);
  return {Result::error, problem, fix};
}

// Every handshake is made before a byte comes from a broker: then the signer is gone.
Check Trial::presence() {
  if (!device_.signer)
    return {Result::skipped, "keyd's half found no usable key of the certificate: see key and key-certificate"};
  if (!context_.keyd_problem.empty()) return {Result::skipped, "keyd can't be asked: see keyd"};
  if (!accepted_by_) return {Result::skipped, "no listener accepts the device: see listener"};
  if (chains_.own.chain.spki != chains_.shown.chain.spki)
    return {Result::skipped,
            "the device shows the listener another key's certificate, and only the device can prove that it is there"};
  StandIn stand_in(loop_, keyd_, device_.signer->take_socket());
  std::vector<Try> tries;
  for (size_t i = 0; i < context_.brokers.size(); i++) {
    Try attempt{{.session = new_session()}, {}};
    auto shown = stand_in.connect(tls::server_options(plan_, *accepted_by_), chains_.own.chain, device_.client_id,
                                  attempt.origin, kPatience);
    if (!shown.problem.empty())
      return {Result::error, "a handshake with the listener, in this process, failed: " + shown.problem,
              "see listener-key and key"};
    if (keyd_.require_presence() && shown.proof.empty())
      return {Result::error, shown.proof.why_empty(), "the device can't get through"};
    attempt.proof = std::move(shown.proof);
    tries.push_back(std::move(attempt));
  }
  Check check = look_up(tries.front());
  if (check.result == Result::ok) tries_ = std::move(tries);
  return check;
}

Check Trial::remote(size_t nth) {
  if (tries_.empty()) {
    Check check = check_broker(context_, nth);
    check.found += "; not tried as the device: see presence";
    return check;
  }
  const Try& attempt = tries_[nth];
  if (nth > 0)
    if (Check check = look_up(attempt); check.result != Result::ok) return check;
  const auto& chain = chains_.shown.chain;
  AsDevice as{loop_, keyd_, chain, {ipc::Role::device, device_.client_id, chain.spki, attempt.origin}};
  if (device_.connect) mqtt::append_resuming_connect(as.connect, device_.client_id, kKeepAlive);
  return check_broker(context_, nth, &as);
}

Check Trial::remote() {
  if (context_.brokers.empty()) return {Result::skipped, "remote_host is not set: see configuration"};
  return each_broker(context_, [this](size_t nth) { return remote(nth); });
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
  for (const char* name : {"client-id", "listener", "presence"})
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
  const Chains chains = chains_of(*context, device);
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
    Trial trial(*context, device, loaded.plan, chains);
    add(checks, "certificate", trial.certificate());
    add(checks, "client-id", trial.client_id());
    add(checks, "listener", trial.listener());
    add(checks, "presence", trial.presence());
    add(checks, "remote", trial.remote());
  } catch (const common::ConfigError& error) {
    add_anonymous(*context, {Result::skipped, std::string("the configuration can't be used: ") + error.what()}, checks);
  }
  return checks;
}

}  // namespace relayd::admin
