// One worker's place in a generation: holds the worker's process, restarts it when it has died, and kills it when it
// hangs.
//
//   waiting | quarantined ⇄ starting → serving → retired → closing → closed → draining → gone
//
// A process that ends in starting or serving is restarted (RestartPolicy); in a later state it is not. A retired
// process is told to drain after retire_timeout, and a draining one is killed kBeyondShutdown after shutdown_timeout,
// whatever it says. From serving or retired, closing begins when relayd stops (Stopping bounds it), and draining when
// it need not. Loop thread only.
#pragma once

#include <uv.h>

#include <memory>
#include <optional>
#include <string>

#include "common/uv.h"
#include "relayd/supervisor/restart_policy.h"
#include "relayd/supervisor/worker_process.h"

namespace relayd {

class WorkerSlot final : private WorkerProcess::Owner {
 public:
  enum class State { waiting, quarantined, starting, serving, retired, closing, closed, draining, gone };
  static constexpr common::Milliseconds kBeyondShutdown{1000};

  struct Owner {
    virtual std::unique_ptr<WorkerProcess> spawn(int worker, WorkerProcess::Owner& owner) = 0;  // std::system_error
    virtual void on_serving() = 0;
    virtual void on_death(const Counters& counters) = 0;  // the dead process's counters
    virtual void on_ended(const Ended& ended) = 0;        // see Order::What::disconnect
    virtual void on_taken(const Taken& taken) = 0;        // its built-in broker has taken a device over
    virtual void on_closed(int worker) = 0;               // it has closed its listeners, as it was told to
    virtual bool may_restart() const = 0;
    virtual void on_waiting(int worker) = 0;                    // it died, and is not restarted at once
    virtual void on_quarantined(const std::string& cause) = 0;  // it died too often; on_waiting() comes before
    virtual void on_hopeless(const std::string& cause) = 0;     // a worker died, and may not restart
    virtual void on_gone() = 0;

   protected:
    ~Owner() = default;
  };

  WorkerSlot(uv_loop_t* loop, int number, const Config& config, Owner& owner);
  WorkerSlot(const WorkerSlot&) = delete;
  WorkerSlot& operator=(const WorkerSlot&) = delete;

  void start();
  void retire();
  void close();  // its listeners; on_closed() or on_gone() follows, unless the worker hangs
  void drain(Order::What how = Order::What::drain);  // or stop
  void kill();                                       // without a restart
  bool send(const Order& order, int attached = -1);  // false: no process, or the order could not be sent
  bool tell(const Order& order) { return !process_ || process_->tell(order); }  // as WorkerProcess's

  State state() const { return state_; }
  int number() const { return number_; }
  int pid() const { return process_ ? process_->pid() : 0; }
  uint64_t restarts() const { return restarts_; }
  const Counters* counters() const { return process_ ? &process_->counters() : nullptr; }
  // See WorkerProcess.
  void allow(size_t listener, uint64_t connections) {
    if (process_) process_->allow(listener, connections);
  }
  uint64_t connections(size_t listener) const { return process_ ? process_->connections(listener) : 0; }

 private:
  void on_serving() override;
  void on_death(const WorkerProcess::Death& death) override;
  void on_ended(const Ended& ended) override { owner_.on_ended(ended); }
  void on_taken(const Taken& taken) override { owner_.on_taken(taken); }
  void on_closed() override;
  void leave(State state, Order::What order, std::optional<common::Milliseconds> deadline);
  void overdue();
  void died(bool had_served, const std::string& cause, int pid);
  void look_for_a_beat();
  void kill_hanging();

  const int number_;
  const common::Milliseconds watchdog_, retire_timeout_, shutdown_timeout_;
  Owner& owner_;
  RestartPolicy policy_;
  State state_ = State::waiting;
  std::unique_ptr<WorkerProcess> process_;
  common::Timer restart_, beat_, kill_, leave_;
  uint64_t restarts_ = 0, last_beat_ = 0;
  int missed_beats_ = 0;     // checks in a row without a new beat
  std::string first_cause_;  // of the current series of deaths
};

const char* name(WorkerSlot::State state);

}  // namespace relayd
