#include "relayd/tls/revocation.h"

#include <chrono>

namespace relayd::tls {
namespace {

trust::Policy of_devices(trust::Policy policy) {
  policy.purpose = trust::Purpose::device;
  policy.name.clear();
  return policy;
}

}  // namespace

RevocationCheck::RevocationCheck(const Pem& trusted, const Pem& revoked, const trust::Policy& policy)
    : validator_(trusted, revoked, of_devices(policy)) {}

bool RevocationCheck::revoked(const CertificateChain& chain) {
  if (chain.empty()) return false;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto verdict =
      validator_.validate(chain.certificates(), std::chrono::duration_cast<std::chrono::seconds>(now).count());
  return verdict.refusal && verdict.refusal->alert == common::tls::Alert::certificate_revoked;
}

}  // namespace relayd::tls
