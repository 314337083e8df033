// One worker process: its birth with everything that it needs, what it says, and its end. What its death means is the
// slot's business.
//
// The process is killed when its object goes. Loop thread only.
#pragma once

#include <uv.h>

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/fd.h"
#include "common/uv.h"
#include "relayd/handover/plan.h"
#include "relayd/handover/scoreboard.h"
#include "relayd/supervisor/child.h"

namespace relayd {

class WorkerProcess {
 public:
  struct Death {
    Child::Death how;
    std::string last_words;     // why it ended, if it said so
    std::string cause() const;  // both, for people
  };
  struct Owner {
    virtual void on_serving() = 0;
    virtual void on_death(const Death& death) = 0;  // the owner may destroy it
    virtual void on_ended(const Ended& ended) = 0;  // its answer to Order::What::disconnect

   protected:
    ~Owner() = default;
  };

  // Memory that all workers map: FlappingTable's, or -1, and NewestTable's.
  struct SharedFds {
    int flapping = -1, newest = -1;
  };

  // `listeners` are plan.listeners descriptors; the process inherits them and `shared`.
  // std::system_error if none can be started.
  WorkerProcess(uv_loop_t* loop, const common::Program& program, const Plan& plan, std::span<const int> listeners,
                SharedFds shared, Owner& owner);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // `attached` goes with the order, -1: nothing. False: it could not be told.
  bool send(const Order& order, int attached = -1);
  void kill(int signal) { process_->kill(signal); }

  int pid() const { return process_->pid(); }
  bool serving() const { return serving_; }
  Counters& counters() const { return *scoreboard_; }

 private:
  void on_control(int events);
  void on_exit(const Child::Death& death);

  const int worker_;
  Owner& owner_;
  Scoreboard scoreboard_;
  std::optional<Child> process_;
  common::Fd control_;
  std::unique_ptr<common::Poll> control_poll_;
  std::string last_words_;
  bool serving_ = false;
};

}  // namespace relayd
