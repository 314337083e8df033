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
                       Loaded&& loaded, std::vector<std::shared_ptr<ListenSockets>> sockets,
                       const FlappingMemory& flapping, const SlotEndings& endings, const Pauses& pauses,
                       const LogOverrides& log_levels, Owner& owner)
    : loop_(loop),
      number_(number),
      worker_(worker),
      plan_(std::move(loaded.plan)),
      sockets_(std::move(sockets)),
      flapping_(flapping),
      endings_(endings),
      pauses_(pauses),
      log_levels_(log_levels),
      owner_(owner),
      connector_(loop, connector, config(), std::move(loaded.proxy_credentials), number,
                 static_cast<ConnectorSlot::Owner&>(*this)),
      most_connections_(config().listeners.size(), UINT64_MAX) {
  connector_.set_log_level(this->log_levels().level);
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
  plan_.worker = worker;
  plan_.sockets.clear();
  plan_.log = log_levels();
  std::vector<int> given, tables;
  for (size_t i = 0; i < sockets_.size(); i++) {
    sockets_[i]->wake(worker, config().workers);
    const std::vector<int> served = sockets_[i]->of(worker, config().workers);
    const Config::Listener& listener = config().listeners[i];
    plan_.sockets.push_back({static_cast<int>(served.size()), sockets_[i]->activated(), pauses_.paused(listener.name)});
    given.insert(given.end(), served.begin(), served.end());
    if (listener.flapping_detect) tables.push_back(flapping_.at(listener.name).at(static_cast<size_t>(worker)).get());
  }
  given.insert(given.end(), tables.begin(), tables.end());
  given.push_back(endings_.fd(worker));
  int channel[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, channel) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair for a worker");
  const common::Fd workers(channel[0]);
  common::Fd connectors(channel[1]);
  auto process = std::make_unique<WorkerProcess>(loop_, worker_, plan_, workers.get(), given, owner);
  for (size_t i = 0; i < most_connections_.size(); i++)
    process->allow(i, share_of(most_connections_[i], worker, config().workers));
  connector_.give(worker, std::move(connectors));
  common::log::info("worker_started", "worker started",
                    {{"worker", worker}, {"pid", process->pid()}, {"generation", number_}});
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
  if (std::ranges::count(slots_, State::serving, &WorkerSlot::state) == 0) return;
  for (const auto& sockets : sockets_) sockets->rest(worker, config().workers);
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
  owner_.on_accepting();
  if (gone()) owner_.on_gone(*this);
  else if (workers_gone()) connector_.end();
}

void Generation::retire() {
  sockets_.clear();
  for (auto& slot : slots_) slot->retire();
}

void Generation::close() {
  started_ = true;
  for (auto& slot : slots_) slot->close();
}

size_t Generation::accepting() const {
  return static_cast<size_t>(std::ranges::count(slots_, State::closing, &WorkerSlot::state));
}

// The supervisor has the worker's sockets, too, so they still listen.
void Generation::on_closed(int worker) {
  for (const auto& sockets : sockets_) sockets->rest(worker, config().workers);
  owner_.on_accepting();
}

void Generation::drain(Order::What how) {
  sockets_.clear();
  started_ = true;
  for (auto& slot : slots_) slot->drain(how);
}

void Generation::kill() {
  for (auto& slot : slots_) slot->kill();
  if (!connector_.gone()) connector_.kill();
}

Revocations Generation::revocations() const {
  Revocations all;
  for (size_t i = 0; i < config().listeners.size(); i++) {
    const Config::Listener& listener = config().listeners[i];
    const PemFiles::Listener& pem = plan_.pem.listeners[i];
    if (listener.crl_disconnect && !pem.revoked.text.empty())
      all.listeners.push_back({listener.name, pem.trusted, pem.revoked, listener.policy});
  }
  return all;
}

void Generation::revoke(const Revocations& revocations) {
  const common::Fd text = revocations.to_memfd();
  for (auto& slot : slots_) slot->send({.what = Order::What::revoke}, text.get());
}

size_t Generation::disconnect(const Whom& whom, uint32_t request) {
  size_t told = 0;
  for (auto& slot : slots_)
    told += slot->send(
        {.what = Order::What::disconnect, .client_id = whom.client_id, .session = whom.session, .request = request});
  return told;
}

bool Generation::tell_paused(const std::string& listener) {
  const auto what = pauses_.paused(listener) ? Order::What::pause : Order::What::resume;
  bool all = true;
  for (auto& slot : slots_)
    if (!slot->tell({.what = what, .listener = listener})) all = false;
  return all;
}

bool Generation::tell_log_levels() {
  const LogLevels levels = log_levels();
  bool all = connector_.set_log_level(levels.level);
  for (auto& slot : slots_)
    if (!slot->tell({.what = Order::What::log, .log = levels})) all = false;
  return all;
}

void Generation::open_feeds(const FeedRequest& request, OpenFeeds& open) {
  for (auto& slot : slots_) {
    if (slot->pid() == 0) continue;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
      open.missing++;
      continue;
    }
    const common::Fd writer(pair[0]);
    common::Fd reader(pair[1]);
    if (slot->send({.what = Order::What::feed, .feed = request}, writer.get()))
      open.feeds.push_back({slot->number(), number_, slot->pid(), std::move(reader)});
    else open.missing++;
  }
}

void Generation::take_over(const Taken& taken) {
  for (auto& slot : slots_) slot->send({.what = Order::What::take_over, .taken = taken});
}

void Generation::allow_connections(size_t listener, uint64_t most) {
  most_connections_.at(listener) = most;
  for (auto& slot : slots_) slot->allow(listener, share_of(most, slot->number(), config().workers));
}

uint64_t Generation::connections() const {
  uint64_t sum = 0;
  for (const auto& listener : config().listeners) sum += connections(listener.name);
  return sum;
}

uint64_t Generation::connections(const std::string& listener) const {
  const auto& all = config().listeners;
  const auto found = std::ranges::find(all, listener, &Config::Listener::name);
  if (found == all.end()) return 0;
  uint64_t sum = 0;
  for (const auto& slot : slots_) sum += slot->connections(static_cast<size_t>(found - all.begin()));
  return sum;
}

void Generation::add_to(Status& status) const {
  if (!connector_.gone())
    status.connectors.push_back({number_, connector_.pid(), name(connector_.state()), connector_.restarts()});
  for (const auto& slot : slots_)
    if (slot->state() != State::gone)
      status.workers.push_back(
          {slot->number(), number_, slot->pid(), name(slot->state()), slot->restarts(), slot->counters(), &config()});
}

}  // namespace relayd
