#include "relayd/supervisor/generation.h"

#include <algorithm>

namespace relayd {
namespace {

using State = WorkerSlot::State;

}  // namespace

Generation::Generation(uv_loop_t* loop, int number, const common::Program& worker, Plan plan,
                       std::shared_ptr<Listeners> listeners, SharedMemory shared, Owner& owner)
    : loop_(loop),
      number_(number),
      worker_(worker),
      plan_(std::move(plan)),
      listeners_(std::move(listeners)),
      shared_(shared),
      owner_(owner) {
  for (int i = 0; i < config().workers; i++)
    slots_.push_back(std::make_unique<WorkerSlot>(loop, i, config(), static_cast<WorkerSlot::Owner&>(*this)));
}

void Generation::start(const Generation* before) {
  replaces_ = before != nullptr;
  resolve(remote_, config().remote_endpoint, before ? &before->remote_ : nullptr);
  if (config().local) resolve(local_, *config().local, before ? &before->local_ : nullptr);
  on_resolved();
}

void Generation::resolve(std::optional<Resolver>& resolver, const Config::Endpoint& endpoint,
                         const std::optional<Resolver>* before) {
  std::vector<SocketAddress> known;
  if (before && *before && (*before)->endpoint() == endpoint) known = (*before)->addresses();
  resolver.emplace(loop_, endpoint, config().resolve_interval, std::move(known), this,
                   common::call<&Generation::on_resolved>);
}

void Generation::on_resolved() {
  if (started_) {
    for (auto& slot : slots_) slot->send({.what = Order::What::addresses, .addresses = addresses()});
    return;
  }
  for (const auto* resolver : {&remote_, &local_}) {
    if (!*resolver && resolver == &local_ && !config().local) continue;
    if (!*resolver || !(*resolver)->tried()) return;
    if (replaces_ && (*resolver)->addresses().empty())
      return owner_.on_unresolved(*this, "the name \"" + (*resolver)->endpoint().host + "\" can't be resolved");
  }
  started_ = true;
  for (auto& slot : slots_) slot->start();
}

Addresses Generation::addresses() const {
  return {remote_->addresses(), local_ ? local_->addresses() : std::vector<SocketAddress>{}};
}

std::unique_ptr<WorkerProcess> Generation::spawn(int worker, WorkerProcess::Owner& owner) {
  listeners_->wake(worker, config().workers);
  const std::vector<int> listeners = listeners_->of(worker, config().workers);
  plan_.worker = worker;
  plan_.listeners = static_cast<int>(listeners.size());
  plan_.addresses = addresses();
  const int flapping = config().listener.flapping_detect ? shared_.flapping[static_cast<size_t>(worker)].get() : -1;
  const WorkerProcess::SharedFds shared{flapping, shared_.newest.get()};
  auto process = std::make_unique<WorkerProcess>(loop_, worker_, plan_, listeners, shared, owner);
  process->allow(share_of(most_connections_, worker, config().workers));
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

bool Generation::gone() const {
  return std::all_of(slots_.begin(), slots_.end(), [](const auto& slot) { return slot->state() == State::gone; });
}

void Generation::on_gone() {
  if (gone()) owner_.on_gone(*this);
}

void Generation::retire() {
  listeners_.reset();
  remote_.reset();
  local_.reset();
  for (auto& slot : slots_) slot->retire();
}

void Generation::drain() {
  listeners_.reset();
  remote_.reset();
  local_.reset();
  started_ = true;
  for (auto& slot : slots_) slot->drain();
}

void Generation::kill() {
  for (auto& slot : slots_) slot->kill();
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
  for (const auto& slot : slots_)
    if (slot->state() != State::gone)
      status.workers.push_back(
          {slot->number(), number_, slot->pid(), name(slot->state()), slot->restarts(), slot->counters()});
}

}  // namespace relayd
