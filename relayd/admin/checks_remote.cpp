// The checks of the remote broker: is its name known, does it answer, is it who it should be?
#include "relayd/admin/check.h"
#include "relayd/admin/remote_probe.h"

namespace relayd::admin {
namespace {

using common::day_of;
using common::quoted;

constexpr int64_t kSoon = 30 * 86'400;  // seconds

// The same by other means, to be run by hand.
std::string by_hand(const Config& config, const std::string& more) {
  const auto& [host, port] = config.remote_endpoint;
  const std::string where = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return "`openssl s_client -connect " + quoted(where + ":" + std::to_string(port)) + " -servername " +
         quoted(config.remote.server_name) + more + " </dev/null`";
}

Check judge(const CheckContext& context, const ProbeResult& found) {
  const Config& config = context.config;
  if (found.address.empty())
    return {Result::error, "no connection: " + found.problem,
            "is the broker up, and may this machine reach its port? " + by_hand(config, "") + " must connect"};
  const std::string ended =
      found.tls ? "TLS is up" : "it wants a device's certificate, and this check has none (" + found.problem + ")";
  if (found.certificate) {
    const auto& [name, pem, from, until] = *found.certificate;
    const std::string text = found.address + ": its certificate" + (name.empty() ? "" : " \"" + name + "\"") +
                             " verifies for " + config.remote.server_name + ", valid until " + day_of(until) + "; " +
                             ended;
    if (until >= context.now + kSoon) return {Result::ok, text};
    return {Result::warning, text, "tell the broker's operator that its certificate expires soon"};
  }
  if (!config.remote.verify_peer && (found.tls || found.problem.starts_with("sent the TLS alert")))
    return {Result::ok, found.address + ": reached, not verified (remote.verify); " + ended};
  return {Result::error, found.address + ": " + found.problem,
          by_hand(config, " -showcerts -CAfile " + quoted(config.remote.cacertfile)) +
              " shows its certificates: remote.cacertfile must have who issued them, and "
              "remote.server_name_indication be a name in the first one, if remote_host is not"};
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
    const tls::ClientContext client(
        {trusted, config.remote.verify_peer, config.remote.versions, config.remote.server_name, config.remote.alpn});
    return judge(context, probe(context.addresses, client, config.remote.connect_timeout));
  } catch (const common::ConfigError&) {
    return {Result::skipped, "it could not be verified: see remote-authorities"};
  }
}

}  // namespace relayd::admin
