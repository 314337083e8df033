// Asks the notary (keyd/notary) about a SIGN or a LOOKUP (keyd/handover/question.h).
//
// It uses only two facts in an answer: yes or no, and which of two hashes. Questions wait in their worker's lane; two
// at most are at the notary. A question that gets no answer within 2 s ends, and the guardian kills the notary. An idle
// notary is asked an empty question each second, so that a hang is noticed without a device. If there is no notary for
// 15 s, or the guardian dies, keyd can't serve: Failed is called, once. One thread, the loop's.
#pragma once

#include <functional>

#include "keyd/handover/question.h"
#include "keyd/vault/job.h"

namespace keyd {

class NotaryClient {
 public:
  // Outcome ok: the notary said yes, and of a SIGN to_sign is complete.
  using Done = std::function<void(JobPtr)>;
  using Failed = std::function<void(const char* why)>;

  NotaryClient(uv_loop_t& loop, NotaryEnds ends, Done done, Failed failed);
  void stop();  // drops waiting questions; the loop must run once more before this object dies
  NotaryClient(const NotaryClient&) = delete;
  NotaryClient& operator=(const NotaryClient&) = delete;

  void ask(JobPtr job);
  bool away() const { return away_since_ms_ != 0; }  // the notary died or hangs, and no other answers yet

 private:
  struct Sent {
    uint64_t question;
    JobPtr job;
  };
  void send_waiting();
  void send(JobPtr job);
  void receive();
  JobPtr take_front();
  void lose_front(const char* why);
  void hear();
  void tick();
  void fail(const char* why);

  NotaryEnds ends_;
  Done done_;
  Failed failed_;
  uv_poll_t answers_{}, deaths_{};
  uv_timer_t timer_{};
  uint64_t last_ = 0, away_since_ms_ = 0;
  uint64_t front_since_ms_;  // when the notary could begin with the first of sent_, or became idle
  std::deque<Sent> sent_;
  Lanes waiting_;
};

}  // namespace keyd
