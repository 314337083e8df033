// Who sees at the remote broker what really arrived: a subscriber of any/fleet/# with QoS 2, straight at the broker,
// with a persistent session. It counts how often each number of each device came, and judges: what was acknowledged to
// a device has come, and what was sent with QoS 2 has come once.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/faults/fleet.h"

namespace faults {

struct Judgement {
  size_t acknowledged = 0;     // messages that the other side took responsibility for
  size_t lost = 0;             // of them, those that never came
  size_t doubled = 0;          // QoS 2 messages that came more than once
  size_t repeated = 0;         // QoS 1 messages that came more than once, as they may
  size_t unknown = 0;          // messages that nobody had sent
  std::string offenders = {};  // the first few, for the failure's text
  bool good() const { return lost + doubled + unknown == 0; }
};

class Witness final : public EventThread::Ready {
 public:
  // Connects and waits until it is subscribed.
  explicit Witness(const harness::Endpoint& remote);
  ~Witness() { thread_.stop(); }

  // Waits until the broker has delivered all that it took before this call, then compares. The remote must be up.
  Judgement judge(const std::vector<Ledger>& ledgers, Deadline deadline);
  // After a remote that lost its memory: what came before no longer counts for anybody.
  size_t sessions_lost();

 private:
  void on_tick(Clock::time_point now);
  void on_ready(Clock::time_point now) override;
  void take(const harness::mqtt::Packet& packet);
  void on_connack(const harness::mqtt::Packet& packet);
  void on_publish(const harness::mqtt::Packet& packet);
  void come_back_later(Clock::time_point now);
  Judgement compare(const std::vector<Ledger>& ledgers) const;

  const harness::Endpoint remote_;
  const harness::Identity identity_;
  const harness::TlsContext context_;
  Link link_;
  bool said_connect_ = false, subscribed_ = false, has_session_ = false;
  Clock::time_point begin_at_{};
  size_t sessions_lost_ = 0;
  std::map<uint16_t, std::string> deliveries_;  // QoS 2: what each packet id last stood for
  uint64_t barrier_ = 0, barrier_seen_ = 0;
  std::map<std::string, std::vector<uint8_t>, std::less<>> came_;  // by client id, then by number: how often
  EventThread thread_;
};

}  // namespace faults
