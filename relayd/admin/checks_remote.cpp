// The checks of the remote broker: does its name resolve, does it answer, is its certificate the right one?
#include "relayd/admin/check.h"
#include "relayd/admin/remote_advice.h"
#include "relayd/admin/remote_probe.h"

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

Check judge(const CheckContext& context, const ProbeResult& found) {
  const Config& config = context.config;
  const std::string ended =
      found.tls ? "TLS is up" : "it wants a device's certificate, and this check has none (" + found.problem + ")";
  if (found.certificate) {
    const auto& [name, der, from, until] = *found.certificate;
    const std::string text = found.address + ": its certificate" + (name.empty() ? "" : " \"" + name + "\"") +
                             " verifies for " + config.remote.server_name + ", valid until " + day_of(until) + "; " +
                             ended;
    if (until >= context.now + kSoon) return {Result::ok, text};
    return {Result::warning, text, "tell the broker's operator that its certificate expires soon"};
  }
  if (!config.remote.verify_peer && (found.tls || (found.alert && wants_certificate(*found.alert))))
    return {Result::ok, found.address + ": reached, not verified (remote.verify); " + ended};
  const auto [text, fix] = advice_on(found, config, context.config_file);
  return {Result::error, text, fix};
}

}  // namespace

Check check_remote_name(const CheckContext& context) {
  const std::string& host = context.config.remote_endpoint.host;
  if (host.empty()) return {Result::skipped, "remote_host is not set: see configuration"};
  if (context.addresses.empty())
    return {Result::error, host + " can't be resolved: " + context.addresses_problem,
            "`getent ahosts " + quoted(host) + "` must show its addresses: correct remote_host in " +
                context.config_file + ", or this machine's /etc/resolv.conf"};
  std::vector<std::string> details;
  for (const auto& address : context.addresses) details.push_back(address.text());
  return {Result::ok, host + " is known here", "", details};
}

Check check_remote(const CheckContext& context) {
  const Config& config = context.config;
  if (context.addresses.empty()) return {Result::skipped, "there is no address: see remote-name"};
  try {
    const tls::Pem trusted = read_pem(context.config_file, "remote.cacertfile", config.remote.cacertfile);
    const tls::ClientContext client({trusted, config.remote.verify_peer, config.remote.versions,
                                     config.remote.server_name, config.remote.alpn,
                                     read_pem(context.config_file, "remote.crlfile", config.remote.crlfile),
                                     config.remote.policy, config.remote.groups});
    const ProbeResult found = probe(context.addresses, client, config.remote.connect_timeout);
    const Check check = judge(context, found);
    return found.wants_small_hello ? with_small_hello(check, context.config_file) : check;
  } catch (const common::ConfigError&) {
    return {Result::skipped, "its certificate can't be verified: see remote-authorities"};
  }
}

}  // namespace relayd::admin
