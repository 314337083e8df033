#include "keyd/vault/tally.h"

#include "common/json_line.h"

namespace keyd {

using ipc::Status;

bool Tally::takes(const AuditEvent& event, uint64_t now_ns) {
  if (event.key && event.result == Status::ok) return false;
  const Peer& peer = event.peer;
  const Kind kind{peer.uid, peer.worker, event.event, event.result};
  auto known = counts_.find(kind);
  if (known == counts_.end()) {
    const bool own = event.result == Status::not_found || (!event.key && event.result == Status::denied);
    const std::string name = std::to_string(peer.uid) + " " + std::to_string(peer.worker) + (own ? event.event : "");
    if (shown_.take(name, {kShown, common::Milliseconds(10'000)}, now_ns) == 0) return false;
    Count begun{event.event, peer, event.result, std::string(event.reason), now_ns, 0, common::utc_now(), {}};
    known = counts_.emplace(kind, std::move(begun)).first;
  }
  known->second.number++;
  known->second.last = common::utc_now();
  return true;
}

const Tally::Count* Tally::due(uint64_t now_ns) const {
  for (const auto& [kind, count] : counts_)
    if (now_ns >= count.since_ns + kEveryNs) return &count;
  return nullptr;
}

void Tally::drop(const Count& count) {
  std::erase_if(counts_, [&](const auto& entry) { return &entry.second == &count; });
}

}  // namespace keyd
