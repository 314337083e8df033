// The monitor's connections: a fixed number of threads, each with one client at a time. Further clients wait in the
// listening socket's backlog.
//
// A client gets one response to one request. Every wait for it has a deadline, so a silent or slow client occupies a
// thread for kReading plus kWriting at most, besides the time to get the answer.
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
  static constexpr std::chrono::seconds kReading{5}, kWriting{5};  // for the whole head; for the whole response

  // `listener` is listening and non-blocking. Starts the threads, which serve once go() is called and live as long as
  // the process, as this object and `http` must. When the constructor returns, all threads run, and none needs a system
  // call of a thread's start any more.
  Connections(int listener, const Http& http);
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  void go() { released_.count_down(); }

 private:
  [[noreturn]] void serve();
  common::Fd accept();
  void serve_one(int client) const;

  const int listener_;
  const Http& http_;
  std::latch running_{kMost}, released_{1};
  std::mutex turn_;  // held by the thread that accepts
};

}  // namespace relayd::monitor
