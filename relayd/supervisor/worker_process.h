// One worker process: starts it with everything that it needs, exchanges messages with it, and reports its death. The
// slot decides what the death means.
//
// Destroying the object kills the process. Loop thread only.
#pragma once

#include <uv.h>

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/fd.h"
#include "common/poll.h"
#include "relayd/handover/plan.h"
#include "relayd/handover/scoreboard.h"
#include "relayd/supervisor/child.h"

namespace relayd {

class WorkerProcess {
 public:
  struct Death {
    Child::Death how;
    std::string last_words;     // the cause, if the worker sent one
    std::string cause() const;  // both, for the log
  };
  struct Owner {
    virtual void on_serving() = 0;
    virtual void on_death(const Death& death) = 0;  // the owner may destroy the WorkerProcess in it
    virtual void on_ended(const Ended& ended) = 0;  // the worker's answer to Order::What::disconnect
    virtual void on_taken(const Taken& taken) = 0;  // its built-in broker has taken a device over
    virtual void on_closed() = 0;                   // the worker's answer to Order::What::close

   protected:
    ~Owner() = default;
  };

  // `channel`: the worker's end of the channel to its connector. `given`: the descriptors from kFirstListenerFd on. The
  // process inherits all of them. Throws std::system_error if the process can't be started.
  WorkerProcess(uv_loop_t* loop, const common::Program& program, const Plan& plan, int channel,
                std::span<const int> given, Owner& owner);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // `attached` is a descriptor to send with the order; -1: none. False: the order could not be sent.
  bool send(const Order& order, int attached = -1);
  // For an order that its successor has from the plan: also true if it is ending, and so needs none.
  bool tell(const Order& order);
  void kill(int signal) { process_->kill(signal); }

  int pid() const { return process_->pid(); }
  bool serving() const { return serving_; }
  const Counters& counters() const { return *scoreboard_; }
  // How many connections it may have from now on, of the listener with this number.
  void allow(size_t listener, uint64_t connections);
  // How many it has: as it says, but at most what it was ever allowed and has descriptors for. So its lies take nothing
  // from another worker's share.
  uint64_t connections(size_t listener) const;

 private:
  void on_control(int events);
  bool may_take();
  void report_unsent() const;
  void on_exit(const Child::Death& death);

  const int worker_;
  Owner& owner_;
  Scoreboard scoreboard_;
  std::optional<Child> process_;
  common::Fd control_;
  std::unique_ptr<common::Poll> control_poll_;
  std::string last_words_;
  std::array<uint64_t, Config::kMaxListeners> most_allowed_{};
  uint32_t last_ended_ = 0;  // requests are answered in their order
  std::chrono::steady_clock::time_point taking_since_{};
  uint32_t taken_ = 0;  // since then
  bool serving_ = false;
};

}  // namespace relayd
