#include "relayd/handover/findings.h"

#include "relayd/handover/archive.h"

namespace trust {

template <class Archive>
void fields(Archive& archive, relayd::Of<Archive, Concern>& c) {
  archive(c.kind, c.file, c.subject, c.problem, c.advice, c.harmless);
}

}  // namespace trust

namespace relayd {

template <class Archive>
void fields(Archive& archive, Of<Archive, Findings>& findings) {
  archive(findings.problem, findings.listener_spki, findings.concerns);
}

std::string Findings::encode() const { return archived(*this); }
Findings Findings::decode(std::string_view bytes) { return from_archive<Findings>(bytes); }

}  // namespace relayd
