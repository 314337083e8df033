#include "relayd/admin/device_trial.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "common/operator/terminal.h"
#include "common/trust/validity.h"
#include "relayd/admin/remote_probe.h"
#include "relayd/admin/stand_in.h"
#include "relayd/mqtt/client_packets.h"
#include "relayd/session/key_advice.h"
#include "relayd/supervisor/key_check.h"
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

}  // namespace

DeviceTrial::DeviceTrial(const CheckContext& context, const std::string& client_id, const Plan& plan,
                         const DeviceChains& chains)
    : context_(context),
      client_id_(client_id),
      plan_(plan),
      chains_(chains),
      keyd_(loop_.get(), {.socket_path = context.config.keyd_socket, .worker = kOperator, .timeout = kPatience}) {}

Check DeviceTrial::certificate() {
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

Check DeviceTrial::has_own_id(const Config::Listener& listener) {
  if (client_id_.size() > listener.max_clientid_len)
    return {Result::error,
            std::to_string(client_id_.size()) + " bytes; " + listener.setting_of("max_clientid_len") + " allows " +
                std::to_string(listener.max_clientid_len),
            "shorten the client id, or raise " + listener.setting_of("max_clientid_len")};
  const auto from = listener.client_id_from;
  if (from == Config::ClientIdFrom::any) return {Result::ok, "the listener takes any client id"};
  auto [common_name, names] = tls::names_in(chains_.own.chain);
  if (from == Config::ClientIdFrom::cn) names = {common_name};
  if (std::ranges::find(names, client_id_) != names.end())
    return {Result::ok, "it is a name in the certificate (" + listener.setting_of("client_id_from") + ")"};
  std::string all;
  for (const std::string& name : names) all.append(all.empty() ? "" : ", ").append(name);
  return {Result::error, "it is not a name in the certificate, which has: " + all,
          "give the device a client id or a certificate that fits " + listener.setting_of("client_id_from")};
}

Check DeviceTrial::identity() {
  if (accepted_by_.empty()) return {Result::skipped, "no listener accepts the device: see listener"};
  std::vector<std::pair<std::string, Check>> each;
  for (const size_t nth : accepted_by_) {
    const auto& listener = context_.config.listeners[nth];
    each.emplace_back(listener.name, has_own_id(listener));
  }
  return common::combined(each, "listener");
}

Check DeviceTrial::listener_accepts(size_t nth) {
  const auto& listener = context_.config.listeners[nth];
  const auto validator = tls::make_validator(tls::server_options(plan_, nth));
  if (!validator)
    return {Result::error, listener.setting_of("verify") + " is verify_none, so it asks no device for a certificate",
            "set " + listener.setting_of("verify") + " to \"verify_peer\""};
  const auto verdict = validator->validate(chains_.own.chain.certificates(), context_.now);
  if (!verdict.accepted())
    return {Result::error, "it refuses the device: " + verdict.refusal->text(), verdict.refusal->advice};
  accepted_by_.push_back(nth);
  const std::string crls = listener.crlfile.empty() ? ", without CRLs" : " and " + listener.setting_of("crlfile");
  return {Result::ok, "it accepts the device, by " + listener.setting_of("cacertfile") + crls + ", until " +
                          day_of(verdict.until) + " at most"};
}

// A device needs one listener.
Check DeviceTrial::listener() {
  std::vector<std::pair<std::string, Check>> each;
  for (size_t i = 0; i < context_.config.listeners.size(); i++)
    each.emplace_back(context_.config.listeners[i].name, listener_accepts(i));
  Check all = common::combined(each, "listener");
  if (!accepted_by_.empty()) all.result = Result::ok, all.fix.clear();
  return all;
}

std::optional<ipc::Status> DeviceTrial::look_up(const Try& attempt) {
  std::optional<ipc::Status> answer;
  const ipc::Lookup lookup{ipc::Role::device,   chains_.shown.chain.spki, attempt.origin, client_id_, "",
                           attempt.proof.view()};
  const auto ticket = keyd_.lookup(lookup, [&](const ipc::Client::Answer& came) {
    if (came.arrived) answer = came.status;
    loop_.stop();
  });
  if (ticket) loop_.run();
  return answer;
}

Check DeviceTrial::judge(const std::optional<ipc::Status>& answer) {
  if (!answer) return {Result::error, "keyd did not answer", "see keyd's log: `journalctl -u mqtt-keyd`"};
  if (answer == ipc::Status::ok)
    return {Result::ok, keyd_.require_presence() ? "keyd has the key, and takes a handshake that it signs as proof of "
                                                   "the device's presence"
                                                 : "keyd has the key; it asks for no proof of presence"};
  if (answer == ipc::Status::not_found)
    return {Result::error, "keyd has no key " + client_id_ + ".pem", "see key; does keyd read another directory?"};
  const auto [problem, fix] = advice_on_key(*answer, client_id_, chains_.shown.chain.spki);
  return {Result::error, problem, fix};
}

// Every handshake is made before a byte comes from a broker: then the signer is gone.
Check DeviceTrial::presence(DeviceSigner* signer) {
  if (!signer)
    return {Result::skipped, "keyd's half found no usable key of the certificate: see key and key-certificate"};
  if (!context_.keyd_problem.empty()) return {Result::skipped, "keyd can't be asked: see keyd"};
  if (context_.brokers.empty()) return {Result::skipped, "there is no remote broker: see configuration"};
  if (accepted_by_.empty()) return {Result::skipped, "no listener accepts the device: see listener"};
  if (chains_.own.chain.spki != chains_.shown.chain.spki)
    return {Result::skipped,
            "the device shows the listener another key's certificate, and only the device can prove that it is there"};
  StandIn stand_in(loop_, keyd_, signer->take_socket());
  std::vector<Try> tries;
  for (size_t i = 0; i < context_.brokers.size(); i++) {
    Try attempt{{.session = new_session()}, {}};
    auto shown = stand_in.connect(tls::server_options(plan_, accepted_by_.front()), chains_.own.chain, client_id_,
                                  attempt.origin, kPatience);
    if (!shown.problem.empty())
      return {Result::error, "a handshake with the listener, in this process, failed: " + shown.problem,
              "see listener-key and key"};
    if (keyd_.require_presence() && shown.proof.empty())
      return {Result::error, shown.proof.why_empty(), "the device can't get through"};
    attempt.proof = std::move(shown.proof);
    tries.push_back(std::move(attempt));
  }
  Check check = judge(look_up(tries.front()));
  if (check.result == Result::ok) tries_ = std::move(tries);
  return check;
}

// keyd took the first proof, and this one is as old: the brokers before this one took too long.
Check DeviceTrial::too_late_for(size_t nth) {
  Check check = check_broker(context_, nth);
  check.found +=
      "; not tried as the device: keyd takes no proof of its presence any more, as the brokers before it took too long";
  if (check.result == Result::error) return check;
  check.result = Result::warning;
  check.fix = "repair the brokers before it, or raise presence_window in keyd.json, and check again";
  return check;
}

Check DeviceTrial::try_broker(size_t nth, bool connect) {
  if (tries_.empty()) {
    Check check = check_broker(context_, nth);
    check.found += "; not tried as the device: see presence";
    return check;
  }
  const Try& attempt = tries_[nth];
  if (nth > 0) {
    const auto answer = look_up(attempt);
    if (answer == ipc::Status::denied) return too_late_for(nth);
    if (answer != ipc::Status::ok) return judge(answer);
  }
  const auto& chain = chains_.shown.chain;
  AsDevice as{loop_, keyd_, chain, {ipc::Role::device, client_id_, chain.spki, attempt.origin}};
  if (connect) mqtt::append_resuming_connect(as.connect, client_id_, kKeepAlive);
  return check_broker(context_, nth, &as);
}

Check DeviceTrial::remote(bool connect) {
  if (context_.brokers.empty()) return {Result::skipped, "remote_host is not set: see configuration"};
  return each_broker(context_, [&](size_t nth) { return try_broker(nth, connect); });
}

}  // namespace relayd::admin
