// Readiness of descriptors, for loops with many of them. Where uv_poll_t makes five epoll_ctl(2) in its life and two
// for each change, a Poll makes two and one. All Polls of a loop share one epoll instance. Loop thread only.
#pragma once

#include <sys/epoll.h>
#include <uv.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "common/fd.h"
#include "common/uv.h"

namespace common {

class Poller;

// Readiness of a descriptor, level-triggered. Does not own the descriptor; destroy the Poll before closing it. The
// owner may destroy any Poll inside a callback; no callback runs after destruction.
class Poll {
 public:
  using Callback = void (*)(void* owner, int events);

  // Throws std::system_error if no epoll instance can be made.
  Poll(uv_loop_t* loop, int fd, void* owner, Callback callback);
  ~Poll();
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;

  // UV_READABLE | UV_WRITABLE, or 0 for none. Readability that is no longer wanted stays registered until it fires; if
  // it is wanted again before that, no system call is needed. Writability would fire at once, so it does not stay.
  void watch(int events);
  // Its events come after all others', and only while kPatience of the turn is left; the next turn brings the rest. For
  // work that takes long, such as handshakes, so that a storm of it does not hold up what is quick. When a peer closes
  // its connection, or the connection is lost, the event waits in the same way, whatever this setting.
  void set_patient(bool patient) { patient_ = patient; }
  // 0, or the errno of epoll_ctl(2), which refused the descriptor; such a Poll never calls back.
  int error() const { return error_; }

 private:
  friend class Poller;
  void register_wanted();
  void fire(uint32_t events);

  const std::shared_ptr<Poller> poller_;
  const int fd_;
  void* const owner_;
  const Callback callback_;
  int wanted_ = 0, registered_ = 0;
  int error_ = 0;
  bool patient_ = false;
  bool in_ended_ = false;
};

// The epoll instance of a loop's Polls; there is one while there are Polls. uv_run() serves it as one descriptor among
// others.
class Poller {
 public:
  // Like uv_run(loop, UV_RUN_DEFAULT), but waits on the Polls, with libuv's own handles as one descriptor among them:
  // an event of a Poll then costs no second epoll_wait(2). Ends after stop(), not after uv_stop(). Requires a Poll.
  static void run(uv_loop_t* loop);
  static void stop(uv_loop_t* loop);
  // The time in each turn for callbacks of patient Polls, and as much again for those of ended ones. At least one of
  // each kind is called.
  static constexpr std::chrono::milliseconds kPatience{1};

  explicit Poller(uv_loop_t* loop);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

 private:
  friend class Poll;
  static std::shared_ptr<Poller> of(uv_loop_t* loop);
  int change(int operation, Poll& poll);
  void forget(const Poll& poll);
  bool serve(int timeout);
  void set_aside(Poll& poll);
  void fire_quick();
  void fire_patient();
  void fire_ended();
  void on_ready(int, int) { serve(0); }

  static constexpr size_t kMostEvents = 256;  // of one wait; the next one takes the rest

  uv_loop_t* const loop_;
  Fd epoll_;
  UvPtr<uv_poll_t> nested_;  // until run()
  std::weak_ptr<Poller> self_;
  std::array<epoll_event, kMostEvents> events_;
  size_t count_ = 0;  // of events_
  // Polls whose peer has closed, or whose connection is lost. The kernel reports events in the order in which they
  // occurred, 256 at a time, and a broker's restart ends thousands of connections at once. So these Polls are
  // unregistered until their turn, and what is quick does not wait behind them.
  std::deque<Poll*> ended_;
  Poll* firing_ = nullptr;  // of ended_; null if the callback has destroyed it
  size_t registered_ = 0;   // Polls
  bool stopping_ = false;
};

}  // namespace common
