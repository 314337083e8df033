// The checks of the remote broker: does its name resolve, does it answer, is its certificate the right one?
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "relayd/admin/check.h"
#include "relayd/admin/remote_advice.h"
#include "relayd/admin/remote_probe.h"
#include "relayd/mqtt/connack_codes.h"
#include "relayd/session/alert_advice.h"
#include "relayd/session/connack_advice.h"
#include "relayd/session/key_advice.h"
#include "relayd/session/proxy_header.h"
#include "relayd/supervisor/proxy_credentials.h"

namespace relayd::admin {
namespace {

using common::day_of;
using common::quoted;

constexpr int64_t kSoon = 30 * 86'400;  // seconds

// The alerts of a broker that ends the handshake because it got no certificate; in TLS 1.2, handshake_failure too.
bool wants_certificate(tls::Alert alert) {
  return refuses_certificate(alert) || alert == tls::Alert::handshake_failure || alert == tls::Alert::illegal_parameter;
}

// relayd copes, with one more try per hour and worker. The firewall or proxy on the way may get worse.
Check with_small_hello(Check check, const std::string& config_file) {
  check.found +=
      "; it answers only a small first TLS message. With X25519MLKEM768's key, that message has over 1,400 bytes, so "
      "relayd offers that exchange without its key";
  if (check.result == Result::error) return check;
  check.result = Result::warning;
  check.fix =
      "a firewall or proxy on the way wants the message in one packet: repair that one, or set remote.groups to "
      "[\"X25519\", "
      "\"P-256\", \"P-384\"] in " +
      config_file + ", which gives up the key exchange that quantum computers can't break";
  return check;
}

// The command with which an operator can try the same proxy.
std::string by_hand(const Config::Proxy& proxy, const Config::Broker& broker) {
  const auto place = [](const Config::Endpoint& at) {
    const bool v6 = at.host.find(':') != std::string::npos;
    return (v6 ? "[" + at.host + "]" : at.host) + ":" + std::to_string(at.port);
  };
  const std::string scheme = proxy.type == Config::Proxy::Type::http ? "http://" : "socks5h://";
  return "`curl -v -x " + quoted(scheme + place(proxy.at)) +
         (proxy.credentials_file.empty() ? "" : " -U USER:PASSWORD") + " " + quoted("https://" + place(broker.at)) +
         "`";
}

// What became of the device's certificate, and of the CONNECT, after TLS was up or the broker refused it.
Check judge_device(const std::string& where, const ProbeResult& found, bool connects) {
  const auto& code = found.connack.code();
  if (code == 0) return {Result::ok, where + "; it accepts the device's certificate, and its CONNECT"};
  if (code) {
    const auto& [number, name, value] = mqtt::kConnackCodes[mqtt::index_of_connack_code(*code)];
    const std::string reason = found.connack.reason().empty() ? "" : ": \"" + found.connack.reason() + "\"";
    return {Result::error,
            where + "; it refuses the device's CONNECT: " + std::string(number) + ", " + std::string(name) + reason,
            std::string(advice_on_connack(*code)) + "; this check sends MQTT 5.0 without user name or password"};
  }
  if (found.refused || found.vanished || (connects && !found.problem.empty())) {
    const std::string how = found.refused    ? "it refuses the device's certificate"
                            : found.vanished ? "it ended the connection without a word"
                                             : "it did not accept the device's CONNECT";
    const std::string advice(found.alert ? advice_on_remote_alert(*found.alert) : "");
    return {Result::error, where + "; " + how + ": " + found.problem,
            advice.empty()
                ? "the remote broker's log says why; does it know this device, and the CA of its certificate?"
                : advice};
  }
  return {Result::ok, where + "; it accepts the device's certificate, as far as TLS shows"};
}

// What a probe of this broker found.
Check judge(const CheckContext& context, const Config::Broker& broker, const ProbeResult& found, const AsDevice* as) {
  const Config& config = context.config;
  if (as && found.not_signed == ipc::Status::superseded)
    return {Result::warning,
            found.address +
                ": not tried as the device, which has connected meanwhile: keyd signs for its newest connection only",
            "check again"};
  if (as && found.cause == tls::End::Cause::signature) {
    if (!found.not_signed)
      return {Result::error, found.address + ": keyd did not answer in time",
              "see keyd's log: `journalctl -u mqtt-keyd`"};
    const auto [problem, fix] = advice_on_key(*found.not_signed, as->key.client_id, as->key.spki);
    return {Result::error, found.address + ": keyd did not sign: " + problem, fix};
  }
  const std::string ended =
      found.tls ? "TLS is up" : "it wants a device's certificate, and this check has none (" + found.problem + ")";
  if (found.certificate) {
    const auto& [name, der, from, until] = *found.certificate;
    const std::string text = found.address + ": its certificate" + (name.empty() ? "" : " \"" + name + "\"") +
                             " verifies for " + broker.server_name + ", valid until " + day_of(until);
    Check check = as ? judge_device(text, found, !as->connect.empty()) : Check{Result::ok, text + "; " + ended};
    if (until >= context.now + kSoon || check.result == Result::error) return check;
    return {Result::warning, check.found, "tell the broker's operator that its certificate expires soon"};
  }
  if (!config.remote.verify_peer && as && (found.tls || found.refused))
    return judge_device(found.address + ": reached, not verified (remote.verify)", found, !as->connect.empty());
  if (!config.remote.verify_peer && (found.tls || (found.alert && wants_certificate(*found.alert))))
    return {Result::ok, found.address + ": reached, not verified (remote.verify); " + ended};
  if (config.remote.proxy && found.address.empty())
    return {Result::error, "no connection: " + found.problem, by_hand(*config.remote.proxy, broker) + " must connect"};
  const auto [text, fix] = advice_on(found, broker, context.config_file);
  return {Result::error, text, fix};
}

Check check_name(const CheckContext& context, size_t nth) {
  const auto& proxy = context.config.remote.proxy;
  const std::string& host = proxy ? proxy->at.host : context.config.brokers[nth].at.host;
  const auto& [addresses, problem] = context.brokers[nth];
  const std::string setting = proxy                         ? "remote.proxy.host"
                              : context.brokers.size() == 1 ? "remote_host"
                                                            : "remote_hosts";
  if (addresses.empty())
    return {Result::error, host + " can't be resolved: " + problem,
            "`getent ahosts " + quoted(host) + "` must show its addresses: correct " + setting + " in " +
                context.config_file + ", or this machine's /etc/resolv.conf"};
  std::vector<std::string> details;
  for (const auto& address : addresses) details.push_back(address.text());
  return {Result::ok, proxy ? "the proxy " + host + " is known here" : host + " is known here", "", details};
}

}  // namespace

Check check_broker(const CheckContext& context, size_t nth, const AsDevice* as) {
  const Config::Remote& remote = context.config.remote;
  const Config::Broker& broker = context.config.brokers[nth];
  const auto& addresses = context.brokers[nth].addresses;
  if (addresses.empty()) return {Result::skipped, "there is no address: see remote-name"};
  ConnectorPlan through_proxy;
  through_proxy.brokers = {broker.at};
  try {
    if (remote.proxy)
      through_proxy.proxy = {*remote.proxy, read_proxy_credentials(context.config_file, context.config)};
  } catch (const common::ConfigError& error) {
    return {Result::error, error.what(), "the file has USER:PASSWORD, and relayd's user may read it"};
  }
  try {
    const tls::Pem trusted = read_pem(context.config_file, authorities_setting(context.config, nth), broker.cacertfile);
    const tls::ClientContext client({.trusted = trusted,
                                     .verify_peer = remote.verify_peer,
                                     .versions = remote.versions,
                                     .name = broker.server_name,
                                     .alpn = remote.alpn,
                                     .revoked = read_pem(context.config_file, "remote.crlfile", remote.crlfile),
                                     .policy = remote.policy,
                                     .groups = remote.groups,
                                     .ciphers = remote.ciphers});
    const ProbeResult found = probe({.addresses = addresses,
                                     .sources = remote.bind,
                                     .through_proxy = remote.proxy ? &through_proxy : nullptr,
                                     .first = remote.proxy_protocol ? proxy::encode_local() : std::vector<uint8_t>()},
                                    &client, remote.connect_timeout, as);
    const Check check = judge(context, broker, found, as);
    return found.wants_small_hello ? with_small_hello(check, context.config_file) : check;
  } catch (const common::ConfigError&) {
    return {Result::skipped, "its certificate can't be verified: see remote-authorities"};
  }
}

Check each_broker(const CheckContext& context, const std::function<Check(size_t)>& check) {
  std::vector<std::pair<std::string, Check>> each;
  for (size_t i = 0; i < context.brokers.size(); i++) each.emplace_back(context.config.brokers[i].at.host, check(i));
  return common::combined(each, "remote broker");
}

Check check_source_addresses(const CheckContext& context) {
  const auto& sources = context.config.remote.bind;
  if (sources.empty()) return {Result::skipped, "remote.bind is not set: the kernel chooses"};
  std::vector<std::string> missing;
  for (const std::string& text : sources) {
    const auto address = SocketAddress::parse(text, 0);
    const common::Fd socket(::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!socket || ::bind(socket.get(), address->get(), address->size) != 0)
      missing.push_back(text + ": " + strerror(errno));
  }
  if (missing.empty())
    return {Result::ok, "remote.bind: all " + std::to_string(sources.size()) + " are this machine's"};
  return {Result::error, "remote.bind: not all of these addresses are this machine's",
          "`ip address` must show them: add them, or correct remote.bind in " + context.config_file, missing};
}

Check check_remote_name(const CheckContext& context) {
  if (context.brokers.empty()) return {Result::skipped, "remote_host is not set: see configuration"};
  if (context.config.remote.proxy) return check_name(context, 0);
  return each_broker(context, [&](size_t nth) { return check_name(context, nth); });
}

Check check_remote(const CheckContext& context) {
  if (context.brokers.empty()) return {Result::skipped, "there is no address: see remote-name"};
  return each_broker(context, [&](size_t nth) { return check_broker(context, nth); });
}

}  // namespace relayd::admin
