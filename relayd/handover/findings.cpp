#include "relayd/handover/findings.h"

#include "relayd/handover/archive.h"

namespace trust {

template <class Archive>
void fields(Archive& archive, relayd::Of<Archive, Concern>& c) {
  archive(c.kind, c.file, c.subject, c.problem, c.advice, c.harmless);
}

template <class Archive>
void fields(Archive& archive, relayd::Of<Archive, Expiry>& e) {
  archive(e.kind, e.file, e.subject, e.at);
}

}  // namespace trust

namespace relayd {

template <class Archive>
void fields(Archive& archive, Of<Archive, Findings>& findings) {
  archive(findings.problem, findings.own_spkis, findings.concerns, findings.expiries);
}

std::string Findings::encode() const { return archived(*this); }

Findings Findings::decode(std::string_view bytes) {
  auto findings = from_archive<Findings>(bytes);
  for (const auto& concern : findings.concerns)
    if (concern.kind > trust::Concern::Kind::more)
      throw BadArchive("a concern of kind " + std::to_string(static_cast<int>(concern.kind)));
  for (const auto& expiry : findings.expiries)
    if (expiry.kind > trust::Expiry::Kind::ca)
      throw BadArchive("an expiry of kind " + std::to_string(static_cast<int>(expiry.kind)));
  return findings;
}

}  // namespace relayd
