// Counts audit events that come too often for a line each, so that a flood of refusals can't fill a disk. One line then
// says how many there were.
//
// Signatures and successful lookups always have a line. Of everything else, a worker has kShown lines in ten seconds.
// Ids that have no key are ordinary, so lookups of these have as many lines again. So has a user whose connections
// are refused. One thread.
#pragma once

#include <map>
#include <tuple>

#include "keyd/vault/audit.h"
#include "keyd/vault/rate_limit.h"

namespace keyd {

class Tally {
 public:
  static constexpr uint32_t kShown = 100;
  static constexpr uint64_t kEveryNs = 1'000'000'000;  // between the lines of one kind

  // True: it is counted. False: it has a line of its own.
  bool takes(const AuditEvent& event, uint64_t now_ns);

  struct Count {
    const char* event;
    Peer peer;  // of the first, as is the reason
    ipc::Status result;
    std::string reason;
    uint64_t since_ns, number = 0;
    std::string first, last;  // times
  };
  // A count that is at least kEveryNs old; nullptr: none. drop() forgets it.
  const Count* due(uint64_t now_ns) const;
  void drop(const Count& count);

 private:
  // User, worker, event, result.
  using Kind = std::tuple<uid_t, uint16_t, std::string_view, ipc::Status>;
  RateLimit shown_;
  std::map<Kind, Count> counts_;
};

}  // namespace keyd
