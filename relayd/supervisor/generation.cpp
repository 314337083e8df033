#include "relayd/supervisor/generation.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace relayd {
namespace {

using State = WorkerSlot::State;

}  // namespace

Generation::Generation(uv_loop_t* loop, int number, const common::Program& worker, const common::Program& connector,
                       Loaded&& loaded, std::shared_ptr<Listeners> listeners, const std::vector<common::Fd>& flapping,
                       Owner& owner)
    : loop_(loop),
      number_(number),
      worker_(worker),
      plan_(std::move(loaded.plan)),
      listeners_(std::move(listeners)),
      flapping_(flapping),
      owner_(owner),
      connector_(loop, connector, config(), std::move(loaded.proxy_credentials), number,
                 static_cast<ConnectorSlot::Owner&>(*this)) {
  for (int i = 0; i < config().workers; i++)
    slots_.push_back(std::make_unique<WorkerSlot>(loop, i, config(), static_cast<WorkerSlot::Owner&>(*this)));
}

void Generation::start(const Generation* before) {
  replaces_ = before != nullptr;
  KnownAddresses known;
  if (before && before->config().brokers == config().brokers && before->config().remote.proxy == config().remote.proxy)
    known.remote = before->connector_.known().remote;
  if (before && before->config().local == config().local) known.local = before->connector_.known().local;
  connector_.start(std::move(known));
}

void Generation::on_names(const NamesReport& report) {
  if (started_) return;
  if (replaces_ && !report.unresolved.empty())
    return owner_.on_unresolved(*this, "the name \"" + report.unresolved + "\" can't be resolved");
  started_ = true;
  for (auto& slot : slots_) slot->start();
}

std::unique_ptr<WorkerProcess> Generation::spawn(int worker, WorkerProcess::Owner& owner) {
  listeners_->wake(worker, config().workers);
  const std::vector<int> listeners = listeners_->of(worker, config().workers);
  plan_.worker = worker;
  plan_.listeners = static_cast<int>(listeners.size());
  int channel[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, channel) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair for a worker");
  const common::Fd workers(channel[0]);
  common::Fd connectors(channel[1]);
  const int flapping = config().listener.flapping_detect ? flapping_[static_cast<size_t>(worker)].get() : -1;
  auto process = std::make_unique<WorkerProcess>(loop_, worker_, plan_, workers.get(), listeners, flapping, owner);
  process->allow(share_of(most_connections_, worker, config().workers));
  connector_.give(worker, std::move(connectors));
  common::log::info("worker started", {{"worker", worker}, {"pid", process->pid()}, {"generation", number_}});
  return process;
}

void Generation::on_serving() {
  const auto in = [&](State state) { return std::ranges::count(slots_, state, &WorkerSlot::state); };
  if (served_ || in(State::serving) == 0 || in(State::serving) + in(State::quarantined) != std::ssize(slots_)) return;
  served_ = true;
  owner_.on_serving(*this);
}

// Devices go to the workers that serve; if there is none, they wait in the queue.
void Generation::on_waiting(int worker) {
  if (std::ranges::count(slots_, State::serving, &WorkerSlot::state) > 0) listeners_->rest(worker, config().workers);
}

void Generation::on_quarantined(const std::string& cause) {
  if (std::ranges::count(slots_, State::quarantined, &WorkerSlot::state) == std::ssize(slots_))
    return owner_.on_hopeless(*this, cause);
  on_serving();  // the others may have waited for this one
}

bool Generation::workers_gone() const {
  return std::all_of(slots_.begin(), slots_.end(), [](const auto& slot) { return slot->state() == State::gone; });
}

bool Generation::gone() const { return workers_gone() && connector_.gone(); }

// A worker has gone, or the connector, which ends after the last worker.
void Generation::on_gone() {
  if (gone()) owner_.on_gone(*this);
  else if (workers_gone()) connector_.end();
}

void Generation::retire() {
  listeners_.reset();
  for (auto& slot : slots_) slot->retire();
}

void Generation::drain(Order::What how) {
  listeners_.reset();
  started_ = true;
  for (auto& slot : slots_) slot->drain(how);
}

void Generation::kill() {
  for (auto& slot : slots_) slot->kill();
  if (!connector_.gone()) connector_.kill();
}

void Generation::revoke(const Revocations& revocations) {
  const common::Fd text = revocations.to_memfd();
  for (auto& slot : slots_) slot->send({.what = Order::What::revoke}, text.get());
}

size_t Generation::disconnect(const std::string& client_id, uint32_t request) {
  size_t told = 0;
  for (auto& slot : slots_)
    told += slot->send({.what = Order::What::disconnect, .client_id = client_id, .request = request});
  return told;
}

void Generation::take_over(const Taken& taken) {
  for (auto& slot : slots_) slot->send({.what = Order::What::take_over, .taken = taken});
}

void Generation::allow_connections(uint64_t most) {
  most_connections_ = most;
  for (auto& slot : slots_) slot->allow(share_of(most, slot->number(), config().workers));
}

uint64_t Generation::connections() const {
  uint64_t sum = 0;
  for (const auto& slot : slots_) sum += slot->connections();
  return sum;
}

void Generation::add_to(Status& status) const {
  if (!connector_.gone())
    status.connectors.push_back({number_, connector_.pid(), name(connector_.state()), connector_.restarts()});
  for (const auto& slot : slots_)
    if (slot->state() != State::gone)
      status.workers.push_back(
          {slot->number(), number_, slot->pid(), name(slot->state()), slot->restarts(), slot->counters()});
}

}  // namespace relayd
