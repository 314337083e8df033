// One request, from its arrival to its answer, and the lanes in which requests wait.
#pragma once

#include <uv.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/units.h"
#include "keyd/vault/audit.h"
#include "keyd/vault/presence.h"

namespace keyd {

struct Outcome {
  ipc::Status status = ipc::Status::ok;
  std::string reason{};
  uint32_t retry_after_ms = 0;
  std::span<const uint8_t> payload{};  // a view of the job's datagram or signature
};

// When a request was refused because others are ahead of it.
inline constexpr uint32_t kRetryMs = 100;

struct Job {
  uint64_t connection = 0;
  Peer peer;
  uint32_t id = 0;
  ipc::Op op{};                    // lookup, sign
  std::vector<uint8_t> datagram;   // `asked` is a view of it
  ipc::Sign asked;                 // as the worker sent it, for the audit; for a lookup, only its key
  ipc::Sign to_sign;               // for tls13_client_bound, its content is the transcript's hash
  std::array<uint8_t, 48> hash{};  // of which to_sign's content is then a view
  SignatureBuffer signature{};
  Outcome outcome;
  common::Rate key_rate{};                                     // in force when the request arrived
  enum class Notary : uint8_t { not_needed, needed, agreed };  // about a lookup's proof
  Notary notary = Notary::not_needed;
  const char* presence = "";                      // why a device's key needs no proof, for the audit
  std::optional<RecentHandshakes::Id> handshake;  // the device's that this request belongs to
  // By uv_hrtime(). `spent_us`: on a thread of the pool; everything else is waiting.
  uint64_t accepted_ns = 0, deadline_ns = UINT64_MAX, wait_us = 0, spent_us = 0;

  // The peer no longer waits for the answer.
  bool given_up() const { return uv_hrtime() >= deadline_ns || (peer.gone && *peer.gone); }
};
using JobPtr = std::unique_ptr<Job>;

// Requests wait in the lane of their worker, and the lanes take turns. The caller limits their number.
class Lanes {
 public:
  void push(JobPtr job) { lanes_[job->peer.lane].push_back(std::move(job)); }
  // From the lane whose turn it is. Precondition: not empty.
  JobPtr pop() {
    auto lane = lanes_.upper_bound(last_);
    if (lane == lanes_.end()) lane = lanes_.begin();
    last_ = lane->first;
    JobPtr job = std::move(lane->second.front());
    lane->second.pop_front();
    if (lane->second.empty()) lanes_.erase(lane);
    return job;
  }
  bool empty() const { return lanes_.empty(); }

 private:
  std::map<uint64_t, std::deque<JobPtr>> lanes_;
  uint64_t last_ = 0;
};

}  // namespace keyd
