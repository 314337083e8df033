// Asks the notary (keyd/notary) whether a transcript is a handshake with the configured remote broker.
//
// It uses only two facts in an answer: yes or no, and which of two hashes. Every question ends within kDeadlineMs, even
// if it kills the notary. One thread, the loop's.
#pragma once

#include <uv.h>

#include <functional>
#include <map>
#include <string_view>

#include "common/fd.h"
#include "keyd/vault/signer_pool.h"

namespace keyd {

class NotaryClient {
 public:
  // `problem` is empty if the handshake is right; then the job's to_sign is complete.
  using Done = std::function<void(JobPtr, ipc::Status status, std::string_view problem)>;

  // `notary`: a non-blocking SOCK_SEQPACKET.
  NotaryClient(uv_loop_t& loop, common::Fd notary, Done done);
  void stop();  // drops waiting questions; the loop must run once more before this object dies
  NotaryClient(const NotaryClient&) = delete;
  NotaryClient& operator=(const NotaryClient&) = delete;

  void ask(JobPtr job);

 private:
  struct Waiting {
    JobPtr job;
    uint64_t deadline_ms;
  };
  void watch(int events);
  void send_waiting();
  void receive();
  void expire();

  common::Fd fd_;
  Done done_;
  uv_poll_t poll_{};
  uv_timer_t timer_{};
  int watched_ = 0;
  uint64_t last_ = 0, sent_up_to_ = 0;
  std::map<uint64_t, Waiting> waiting_;  // in order of question, and so of deadline
};

}  // namespace keyd
