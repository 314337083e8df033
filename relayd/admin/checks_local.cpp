// The check of the local broker: can it be reached, and with local.tls, is its certificate the right one, and has
// relayd one that it can show?
#include "relayd/admin/check.h"
#include "relayd/admin/remote_probe.h"
#include "relayd/session/proxy_header.h"

namespace relayd::admin {
namespace {

using common::day_of;
using common::quoted;

constexpr int64_t kSoon = 30 * 86'400;  // seconds
constexpr common::Milliseconds kResolve{10'000};

tls::ClientContext context_of(const CheckContext& context, const Config::LocalTls& local) {
  const auto pem = [&](const std::string& key, const std::string& file) {
    return read_pem(context.config_file, "local.tls." + key, file);
  };
  return tls::ClientContext({.trusted = pem("cacertfile", local.cacertfile),
                             .certificate = pem("certfile", local.certfile),
                             .verify_peer = local.verify_peer,
                             .versions = local.versions,
                             .name = local.server_name,
                             .alpn = local.alpn,
                             .revoked = pem("crlfile", local.crlfile),
                             .policy = local.policy,
                             .groups = local.groups});
}

// keyd signs for workers only, so this check shows no certificate. With TLS 1.3 a broker refuses that after the
// handshake.
Check judge_tls(const CheckContext& context, const Config::LocalTls& local, const ProbeResult& found) {
  if (!found.tls && !found.certificate)
    return {Result::error, found.address + ": TLS failed: " + found.problem,
            "`openssl s_client -connect " + quoted(found.address) + "` shows what it sends"};
  const bool asked = !found.tls || found.wants_certificate, none = asked && local.certfile.empty();
  const std::string ended = !asked ? "TLS is up"
                            : none ? "it asks for a client certificate, and local.tls.certfile is not set"
                                   : "it asks for a client certificate, which this check does not show";
  const std::string set = "set local.tls.certfile in " + context.config_file + ", and local_keyfile in keyd.json";
  if (!found.certificate)
    return {none ? Result::warning : Result::ok, found.address + ": reached, not verified (local.tls.verify); " + ended,
            none ? set : ""};
  const std::string text = found.address + ": its certificate verifies for " + local.server_name + ", valid until " +
                           day_of(found.certificate->not_after) + "; " + ended;
  if (none) return {found.tls ? Result::warning : Result::error, text, set};
  if (found.certificate->not_after >= context.now + kSoon) return {Result::ok, text};
  return {Result::warning, text, "renew the local broker's certificate"};
}

std::string expiring(const CheckContext& context, const Config::LocalTls& local) {
  if (local.certfile.empty()) return "";
  const auto chain = tls::facts_of(read_pem(context.config_file, "local.tls.certfile", local.certfile));
  const auto& own = chain.front();
  if (own.not_before > context.now) return "is not valid before " + day_of(own.not_before);
  if (own.not_after < context.now + kSoon) return "ends on " + day_of(own.not_after);
  return "";
}

}  // namespace

Check check_local_broker(const CheckContext& context) {
  if (!context.config.local) return {Result::skipped, "local is not set: relayd's built-in broker serves such devices"};
  const Config::Local& local = *context.config.local;
  const auto& [host, port] = local.broker;
  std::string problem;
  const auto addresses = resolve(host, port, kResolve, problem);
  if (addresses.empty())
    return {Result::error, host + " can't be resolved: " + problem,
            "correct local.host in " + context.config_file + "; `getent ahosts " + quoted(host) +
                "` must show its addresses"};
  ProbeWay way{.addresses = addresses};
  if (local.proxy_protocol) way.first = proxy::encode_local();
  try {
    std::optional<tls::ClientContext> client;
    if (local.tls) client.emplace(context_of(context, *local.tls));
    const ProbeResult found = probe(way, client ? &*client : nullptr, context.config.remote.connect_timeout);
    if (found.address.empty())
      return {Result::error, "no connection: " + found.problem,
              "start the local broker, or correct local in " + context.config_file + "; `ss -ltn` shows who listens"};
    if (!local.tls) return {Result::ok, found.address + ": accepts TCP connections"};
    Check check = judge_tls(context, *local.tls, found);
    const std::string when = check.result == Result::ok ? expiring(context, *local.tls) : "";
    if (when.empty()) return check;
    return {Result::warning, local.tls->certfile + ": relayd's certificate for the local broker " + when,
            "install a new one, and its key for keyd, then `systemctl reload mqtt-relayd`"};
  } catch (const common::ConfigError& error) {
    return {Result::error, error.what(), "correct local.tls in " + context.config_file + ", or install the file"};
  }
}

}  // namespace relayd::admin
