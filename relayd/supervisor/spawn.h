// The birth and death of one worker process: fork and exec of this very program, with everything that it needs on
// inherited descriptors. What its death means is the slot's business.
//
// The process is killed when its object goes. Loop thread only.
#pragma once

#include <uv.h>

#include <memory>
#include <span>
#include <string>

#include "common/fd.h"
#include "common/uv.h"
#include "relayd/worker/plan.h"
#include "relayd/worker/scoreboard.h"

namespace relayd {

class WorkerProcess {
 public:
  struct Owner {
    virtual void on_serving() = 0;
    // It has ended: by which signal or status, and what it said last. The owner may destroy it.
    virtual void on_death(const std::string& cause) = 0;
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
  WorkerProcess(uv_loop_t* loop, const Plan& plan, std::span<const int> listeners, SharedFds shared, Owner& owner);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // `attached` goes with the order, -1: nothing. False: it could not be told.
  bool send(const Order& order, int attached = -1);
  void kill(int signal);

  int pid() const { return process_->pid; }
  bool serving() const { return serving_; }
  Counters& counters() const { return *scoreboard_; }

 private:
  void on_control();
  void on_exit(int64_t status, int signal);

  const int worker_;
  Owner& owner_;
  Scoreboard scoreboard_;
  common::UvPtr<uv_process_t> process_;
  common::Fd control_;
  std::unique_ptr<common::Poll> control_poll_;
  std::string last_words_;
  bool serving_ = false;
};

}  // namespace relayd
