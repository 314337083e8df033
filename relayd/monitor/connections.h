// The monitor's connections: a fixed number of threads, each with one client at a time. Further clients wait in the
// listening socket's backlog.
//
// A client gets one response to one request. Every wait for it has a deadline, so a silent or slow client has a thread
// for kReading and kWriting at most, beside the time that the answer takes.
#pragma once

#include <chrono>
#include <latch>
#include <mutex>

#include "common/fd.h"
#include "relayd/monitor/http.h"

namespace relayd::monitor {

class Connections {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr int kMost = 16;
  static constexpr std::chrono::seconds kReading{5}, kWriting{5};  // of the whole head; of the whole response

  // `listener` is listening and non-blocking. Starts the threads, which serve from go() on and live as long as the
  // process: so must this object and `http`. They all run when it returns, and need no system call of a birth any more.
  Connections(int listener, const Http& http);
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  void go() { gone_.count_down(); }

 private:
  [[noreturn]] void serve();
  common::Fd accept();
  void serve_one(int client) const;

  const int listener_;
  const Http& http_;
  std::latch born_{kMost}, gone_{1};
  std::mutex turn_;  // to accept
};

}  // namespace relayd::monitor
