// Validators over certificates that were made in memory.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/trust/validator.h"
#include "tests/pki/certificates.h"

namespace trust_support {

inline trust::Pem pem_of(const std::vector<pki::Identity>& identities, const std::string& path) {
  trust::Pem pem{path, ""};
  for (const auto& identity : identities) pem.text += identity.pem();
  return pem;
}

// The CA that most tests use.
inline const pki::Identity& ca() {
  static const pki::Identity made = pki::root("Root", 1);
  return made;
}

inline trust::Validator validator(const std::vector<pki::Identity>& anchors, const std::vector<pki::Crl>& crls = {},
                                  trust::Policy policy = {}) {
  trust::Pem lists;
  for (const auto& crl : crls) lists.text += pki::pem(crl);
  if (!crls.empty()) lists.path = "/crl.pem", lists.setting = "relayd.json: listener.crlfile";
  trust::Pem trusted = pem_of(anchors, "/ca.pem");
  trusted.setting = "relayd.json: listener.cacertfile";
  return {trusted, lists, std::move(policy)};
}

inline trust::Verdict judge(trust::Validator& by, const std::vector<pki::Identity>& chain, int64_t now = pki::kNow) {
  std::vector<pki::Der> ders;
  for (const auto& identity : chain) ders.push_back(identity.der());
  const std::vector<std::span<const uint8_t>> spans(ders.begin(), ders.end());
  return by.validate(spans, now);
}

inline bool accepts(trust::Validator& by, const std::vector<pki::Identity>& chain, int64_t now = pki::kNow) {
  return judge(by, chain, now).accepted();
}

}  // namespace trust_support
