// A worker's end of the channel to its connector (relayd/handover/channel.h). All of the worker's connections but the
// devices' come through it, and the certificates that are in files. Asynchronous and bounded; it outlasts restarts of
// the connector.
//
// Questions are sent at once, or kept until the connector has begun. A new connector gets all unanswered questions
// again. Each question has a deadline, whatever the connector does: whoever asks keeps it. A descriptor that arrives
// must be a socket of the expected kind, to a broker that is configured. One thread: the loop's.
#pragma once

#include <uv.h>

#include <memory>
#include <optional>
#include <set>
#include <unordered_map>

#include "common/fd.h"
#include "common/log_limit.h"
#include "common/poll.h"
#include "common/units.h"
#include "common/uv.h"
#include "ipc/client.h"
#include "relayd/handover/channel.h"

namespace relayd {

// Whoever waits for the connector's answer to one question: Dial, FileCertificate.
class Asker {
 public:
  virtual channel::Question::Body question() const = 0;  // asked of each connector until one answers
  // Called once from the loop, with an answer of whatever kind. May destroy the asker.
  virtual void answered(const channel::Answer::Body& answer, common::Fd attached) = 0;

 protected:
  ~Asker() = default;
};

class ConnectorClient final : public ipc::ConnectionSource {
 public:
  static constexpr size_t kMostAskers = 16'384;            // that wait for their answer
  static constexpr common::Milliseconds kPatience{5'000};  // for a connection to keyd

  // `brokers`: how many remote ones there are.
  ConnectorClient(uv_loop_t* loop, common::Fd channel, size_t brokers = 1);
  ~ConnectorClient();
  ConnectorClient(const ConnectorClient&) = delete;
  ConnectorClient& operator=(const ConnectorClient&) = delete;

  void connect(Done done) override;
  void forget() override;

  uv_loop_t* loop() const { return loop_; }
  size_t brokers() const { return brokers_; }

  // Asks. The question's id, for cancel(); nullopt: kMostAskers wait. The asker must live until it is answered or
  // cancelled.
  std::optional<uint64_t> ask(Asker& asker);
  void cancel(uint64_t id);
  void judge(channel::Target target, uint64_t address, bool good) {
    try_send({0, channel::Judge{target, address, good}});
  }

 private:
  struct Keyd {
    uint64_t id;
    Done done;
  };

  void on_ready(int events);
  void receive();
  void on_answer(const channel::Answer& answer, common::Fd attached);
  void begin();
  void send_unsent();
  bool send_one(uint64_t id);
  bool try_send(const channel::Question& question);
  void on_keyd(common::Fd attached, std::string_view problem);
  void keyd_is_late();
  void ignore();
  void lose(const char* why);

  uv_loop_t* loop_;
  common::Fd channel_;
  const size_t brokers_;
  bool begun_ = false, to_begin_ = false;  // a connector is there; it has not been answered yet
  common::LogLimit ignored_;
  uint64_t last_id_ = 0;
  std::unordered_map<uint64_t, Asker*> askers_;  // unanswered
  std::optional<Keyd> keyd_;                     // unanswered
  std::set<uint64_t> unsent_;                    // ids of both, the oldest first
  common::Timer keyd_deadline_;
  std::unique_ptr<common::Poll> poll_;
};

}  // namespace relayd
