// Sees at the remote broker which messages really arrived: a QoS 2 subscriber of any/fleet/# with a persistent session,
// connected to the broker directly. It counts how often each number of each device arrived, and judges: every
// acknowledged message has arrived, and every QoS 2 message has arrived once only.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/faults/fleet.h"

namespace faults {

struct Judgement {
  size_t acknowledged = 0;     // messages for which the other side took responsibility
  size_t lost = 0;             // acknowledged messages that did not arrive
  size_t doubled = 0;          // QoS 2 messages that arrived more than once
  size_t repeated = 0;         // QoS 1 messages that arrived more than once, as is permitted
  size_t unknown = 0;          // messages that no device had sent
  std::string offenders = {};  // the first few, for the failure's text
  bool good() const { return lost + doubled + unknown == 0; }
};

class Witness final : public EventThread::Ready {
 public:
  // Connects and waits until the subscription is acknowledged.
  explicit Witness(const harness::Endpoint& remote);
  ~Witness() { thread_.stop(); }

  // Waits until the broker has delivered everything that it accepted before this call, then compares. The remote must
  // be up.
  Judgement judge(const std::vector<Ledger>& ledgers, Deadline deadline);
  // Forgets all counts, after a remote has lost its state.
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
  std::map<uint16_t, std::string> deliveries_;  // QoS 2: the last delivery under each packet id
  uint64_t barrier_ = 0, barrier_seen_ = 0;
  std::map<std::string, std::vector<uint8_t>, std::less<>> came_;  // by client id, then by number: how often it arrived
  EventThread thread_;
};

}  // namespace faults
