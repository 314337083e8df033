// One worker's place: its listening socket for good, and the process that serves it now. Birth, death and what is said
// over the control socket; when to be born again is RestartPolicy's.
#pragma once

#include <uv.h>

#include <memory>
#include <string>

#include "common/fd.h"
#include "common/uv.h"
#include "relayd/supervisor/restart_policy.h"
#include "relayd/worker/plan.h"
#include "relayd/worker/scoreboard.h"

namespace relayd {

class WorkerSlot {
 public:
  struct Owner {
    virtual Plan plan_for(int worker) = 0;
    virtual void on_serving() = 0;
    virtual void on_gone() = 0;  // after stop(): the process has ended

   protected:
    ~Owner() = default;
  };

  WorkerSlot(uv_loop_t* loop, int number, common::Fd listener, Owner& owner);
  ~WorkerSlot();
  WorkerSlot(const WorkerSlot&) = delete;
  WorkerSlot& operator=(const WorkerSlot&) = delete;

  void start();
  void send(const Order& order);
  void stop();  // asks the worker to drain; it is not started again
  void kill();
  bool serving() const { return serving_; }
  bool gone() const { return process_ == nullptr; }

 private:
  void on_control();
  void on_exit(int64_t status, int signal);

  uv_loop_t* loop_;
  const int number_;
  common::Fd listener_;
  Owner& owner_;
  RestartPolicy policy_;
  common::Timer restart_;
  common::UvPtr<uv_process_t> process_;
  common::Fd control_;
  std::unique_ptr<Scoreboard> scoreboard_;
  std::unique_ptr<common::Poll> control_poll_;
  bool serving_ = false;
  bool stopping_ = false;
};

}  // namespace relayd
