#include "relayd/supervisor/worker_slot.h"

#include <signal.h>

#include <system_error>

#include "common/log.h"

namespace relayd {

namespace log = common::log;
using common::Milliseconds;

namespace {

constexpr int kLooksPerWatchdog = 4;
constexpr Milliseconds kToLogItsStack{1000};  // between SIGABRT, which makes a worker log its stack, and SIGKILL

}  // namespace

const char* name(WorkerSlot::State state) {
  switch (state) {
    case WorkerSlot::State::waiting: return "waiting";
    case WorkerSlot::State::quarantined: return "quarantined";
    case WorkerSlot::State::starting: return "starting";
    case WorkerSlot::State::serving: return "serving";
    case WorkerSlot::State::retired: return "retired";
    case WorkerSlot::State::closing: return "closing";
    case WorkerSlot::State::closed: return "closed";
    case WorkerSlot::State::draining: return "draining";
    case WorkerSlot::State::gone: return "gone";
  }
  return "";
}

WorkerSlot::WorkerSlot(uv_loop_t* loop, int number, const Config& config, Owner& owner)
    : number_(number),
      watchdog_(config.worker_watchdog),
      retire_timeout_(config.retire_timeout),
      shutdown_timeout_(config.shutdown_timeout),
      owner_(owner),
      policy_(config.max_restarts, config.restart_window),
      restart_(loop, this, common::call<&WorkerSlot::start>),
      beat_(loop, this, common::call<&WorkerSlot::look_for_a_beat>),
      kill_(loop, this, common::call<&WorkerSlot::kill_hanging>),
      leave_(loop, this, common::call<&WorkerSlot::overdue>) {}

void WorkerSlot::start() {
  state_ = State::starting;
  try {
    process_ = owner_.spawn(number_, *this);
  } catch (const std::system_error& error) {
    return died(false, error.what(), 0);
  }
  last_beat_ = 0;
  missed_beats_ = 0;
  beat_.start(watchdog_ / kLooksPerWatchdog);
}

void WorkerSlot::on_serving() {
  if (state_ == State::starting) state_ = State::serving;
  owner_.on_serving();
}

void WorkerSlot::retire() { leave(State::retired, Order::What::retire, retire_timeout_); }

void WorkerSlot::close() {
  if (state_ < State::closing) leave(State::closing, Order::What::close, std::nullopt);
}

// Unasked, it would be a captured worker's attempt to end listeners that the next generation serves.
void WorkerSlot::on_closed() {
  if (state_ != State::closing) return;
  state_ = State::closed;
  owner_.on_closed(number_);
}

void WorkerSlot::drain(Order::What how) { leave(State::draining, how, shutdown_timeout_ + kBeyondShutdown); }

void WorkerSlot::leave(State state, Order::What order, std::optional<Milliseconds> deadline) {
  if (state_ == State::gone) return;
  restart_.stop();
  leave_.stop();
  state_ = state;
  if (process_) {
    process_->send({.what = order});
    if (deadline) leave_.start(*deadline);
    return;
  }
  state_ = State::gone;
  owner_.on_gone();
}

void WorkerSlot::overdue() {
  if (state_ == State::retired) {
    log::warning("worker_drained", "a retired worker still has sessions after retire_timeout; relayd closes them",
                 {{"worker", number_}, {"pid", pid()}, {"retire_timeout_ms", retire_timeout_.count()}});
    return drain();
  }
  log::error("worker_killed", "a worker did not exit within shutdown_timeout; relayd kills it",
             {{"worker", number_}, {"pid", pid()}, {"shutdown_timeout_ms", shutdown_timeout_.count()}});
  process_->kill(SIGKILL);
}

void WorkerSlot::kill() {
  if (state_ == State::gone) return;
  if (!process_) return drain();
  state_ = State::draining;
  process_->kill(SIGKILL);
}

bool WorkerSlot::send(const Order& order, int attached) { return process_ && process_->send(order, attached); }

void WorkerSlot::on_death(const WorkerProcess::Death& death) {
  beat_.stop();
  kill_.stop();
  leave_.stop();
  owner_.on_death(process_->counters());
  const int pid = process_->pid();
  const bool had_served = process_->serving();
  const std::string cause = death.cause();
  const bool in_order = death.how.in_order();  // `death` may die with process_
  process_.reset();
  if (state_ == State::starting || state_ == State::serving) return died(had_served, cause, pid);
  if (!in_order) log::error("worker_died", "worker died", {{"worker", number_}, {"pid", pid}, {"cause", cause}});
  state_ = State::gone;
  owner_.on_gone();
}

void WorkerSlot::died(bool had_served, const std::string& cause, int pid) {
  const auto restart = policy_.after_death(had_served, RestartPolicy::Clock::now());
  if (policy_.starts_a_series()) first_cause_ = cause;
  const std::string worker = "worker " + std::to_string(number_);
  if (!owner_.may_restart()) {
    log::error("worker_died", "worker died", {{"worker", number_}, {"pid", pid}, {"cause", cause}});
    state_ = State::waiting;
    return owner_.on_hopeless(worker + " can't start: " + cause);
  }
  state_ = restart.quarantined ? State::quarantined : State::waiting;
  if (restart.delay > Milliseconds(0)) owner_.on_waiting(number_);  // before the log says so: devices go elsewhere
  log::error("worker_died",
             restart.quarantined ? "worker died more than max_restarts times; relayd goes on without it for a while"
                                 : "worker died",
             {{"worker", number_}, {"pid", pid}, {"cause", cause}, {"restart_in_ms", restart.delay.count()}});
  restarts_++;
  restart_.start(restart.delay);
  if (restart.quarantined)
    owner_.on_quarantined(worker + " died more than max_restarts times; the first cause: " + first_cause_);
}

// Counts checks instead of milliseconds: if the whole process group was stopped (a frozen container), no worker's loop
// has run, and each must get its full time again.
void WorkerSlot::look_for_a_beat() {
  const uint64_t beat = process_->counters().beat.load(std::memory_order_relaxed);
  missed_beats_ = beat == last_beat_ ? missed_beats_ + 1 : 0;
  last_beat_ = beat;
  if (missed_beats_ < kLooksPerWatchdog) return beat_.start(watchdog_ / kLooksPerWatchdog);
  log::error("worker_hung", "worker hangs: its event loop has not run for worker_watchdog; relayd kills it",
             {{"worker", number_}, {"pid", pid()}, {"worker_watchdog_ms", watchdog_.count()}});
  process_->kill(SIGABRT);
  kill_.start(kToLogItsStack);
}

void WorkerSlot::kill_hanging() {
  if (process_) process_->kill(SIGKILL);
}

}  // namespace relayd
