#include "relayd/tls/from_plan.h"

namespace relayd::tls {

ServerOptions server_options(const Plan& plan, size_t number) {
  const auto& listener = plan.config.listeners.at(number);
  const auto& pem = plan.pem.listeners.at(number);
  return {.certificates = pem.certificates,
          .trusted = pem.trusted,
          .revoked = pem.revoked,
          .verify_peer = listener.verify_peer,
          .fail_if_no_peer_cert = listener.fail_if_no_peer_cert,
          .versions = listener.versions,
          .groups = listener.groups,
          .ciphers = listener.ciphers,
          .policy = listener.policy,
          .max_record = listener.max_record};
}

ClientOptions client_options(const Plan& plan, size_t broker) {
  const auto& remote = plan.config.remote;
  return {.trusted = plan.pem.remote_trusted[broker],
          .verify_peer = remote.verify_peer,
          .versions = remote.versions,
          .name = plan.config.brokers[broker].server_name,
          .alpn = remote.alpn,
          .revoked = plan.pem.remote_revoked,
          .policy = remote.policy,
          .groups = remote.groups,
          .ciphers = remote.ciphers};
}

std::unique_ptr<ClientContext> local_context(const Plan& plan) {
  if (!plan.config.local || !plan.config.local->tls) return nullptr;
  const auto& local = *plan.config.local->tls;
  return std::make_unique<ClientContext>(ClientOptions{.trusted = plan.pem.local_trusted,
                                                       .certificate = plan.pem.local_certificate,
                                                       .verify_peer = local.verify_peer,
                                                       .versions = local.versions,
                                                       .name = local.server_name,
                                                       .alpn = local.alpn,
                                                       .revoked = plan.pem.local_revoked,
                                                       .policy = local.policy,
                                                       .groups = local.groups});
}

std::vector<trust::Expiry> expiries(const Plan& plan) {
  using Kind = trust::Expiry::Kind;
  trust::Expiries found;
  for (const auto& listener : plan.pem.listeners) {
    for (const auto& certificate : listener.certificates) found.add(certificate, Kind::certificate);
    found.add(listener.trusted, Kind::ca);
    found.add(listener.revoked, Kind::crl);
  }
  for (const auto& trusted : plan.pem.remote_trusted) found.add(trusted, Kind::ca);
  found.add(plan.pem.remote_revoked, Kind::crl);
  found.add(plan.pem.local_trusted, Kind::ca);
  found.add(plan.pem.local_revoked, Kind::crl);
  found.add(plan.pem.local_certificate, Kind::certificate);
  return std::move(found).take();
}

}  // namespace relayd::tls
