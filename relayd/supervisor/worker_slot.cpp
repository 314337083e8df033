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
    case WorkerSlot::State::starting: return "starting";
    case WorkerSlot::State::serving: return "serving";
    case WorkerSlot::State::retired: return "retired";
    case WorkerSlot::State::draining: return "draining";
    case WorkerSlot::State::gone: return "gone";
  }
  return "";
}

WorkerSlot::WorkerSlot(uv_loop_t* loop, int number, const Config& config, Owner& owner)
    : number_(number),
      watchdog_(config.worker_watchdog),
      owner_(owner),
      policy_(config.max_restarts, config.restart_window),
      restart_(loop, this, common::call<&WorkerSlot::start>),
      beat_(loop, this, common::call<&WorkerSlot::look_for_a_beat>),
      kill_(loop, this, common::call<&WorkerSlot::kill_hanging>) {}

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

void WorkerSlot::leave(State state, Order::What order) {
  if (state_ == State::gone) return;
  restart_.stop();
  state_ = state;
  if (process_) {
    process_->send({.what = order});
    return;
  }
  state_ = State::gone;
  owner_.on_gone();
}

void WorkerSlot::kill() {
  if (state_ == State::gone) return;
  if (!process_) return leave(State::draining, Order::What::drain);
  state_ = State::draining;
  process_->kill(SIGKILL);
}

bool WorkerSlot::send(const Order& order, int attached) { return process_ && process_->send(order, attached); }

void WorkerSlot::on_death(const WorkerProcess::Death& death) {
  beat_.stop();
  kill_.stop();
  owner_.on_death(process_->counters());
  const int pid = process_->pid();
  const bool had_served = process_->serving();
  const std::string cause = death.cause();
  const bool in_order = death.how.in_order();  // `death` may die with process_
  process_.reset();
  if (state_ == State::waiting || state_ == State::starting || state_ == State::serving)
    return died(had_served, cause, pid);
  if (!in_order) log::error("worker died", {{"worker", number_}, {"pid", pid}, {"cause", cause}});
  state_ = State::gone;
  owner_.on_gone();
}

void WorkerSlot::died(bool had_served, const std::string& cause, int pid) {
  state_ = State::waiting;
  const auto delay = policy_.after_death(had_served, RestartPolicy::Clock::now());
  if (policy_.starts_a_series()) first_cause_ = cause;
  if (!delay || !owner_.may_restart()) {
    log::error("worker died", {{"worker", number_}, {"pid", pid}, {"cause", cause}});
    const std::string worker = "worker " + std::to_string(number_);
    return owner_.on_hopeless(delay ? worker + " can't start: " + cause
                                    : worker + " died more than max_restarts times; the first cause: " + first_cause_);
  }
  log::error("worker died", {{"worker", number_}, {"pid", pid}, {"cause", cause}, {"restart_in_ms", delay->count()}});
  restarts_++;
  restart_.start(*delay);
}

// Counts checks instead of milliseconds: if the whole process group was stopped (a frozen container), no worker's loop
// has run, and each must get its full time again.
void WorkerSlot::look_for_a_beat() {
  const uint64_t beat = process_->counters().beat.load(std::memory_order_relaxed);
  missed_beats_ = beat == last_beat_ ? missed_beats_ + 1 : 0;
  last_beat_ = beat;
  if (missed_beats_ < kLooksPerWatchdog) return beat_.start(watchdog_ / kLooksPerWatchdog);
  log::error("worker hangs: its event loop has not run for worker_watchdog; relayd kills it",
             {{"worker", number_}, {"pid", pid()}, {"worker_watchdog_ms", watchdog_.count()}});
  process_->kill(SIGABRT);
  kill_.start(kToLogItsStack);
}

void WorkerSlot::kill_hanging() {
  if (process_) process_->kill(SIGKILL);
}

}  // namespace relayd
