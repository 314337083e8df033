#include "relayd/worker/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "common/crash_report.h"
#include "common/datagram.h"
#include "common/log.h"
#include "common/poll.h"
#include "relayd/handover/plan.h"
#include "relayd/session/session.h"
#include "relayd/tls/from_plan.h"
#include "relayd/tls/revocation.h"
#include "relayd/worker/acceptor.h"
#include "relayd/worker/drain_pace.h"
#include "relayd/worker/feeds.h"
#include "relayd/worker/sandbox.h"

namespace relayd {
namespace {

namespace log = common::log;
using common::Milliseconds;

constexpr Milliseconds kBeat{1000};
constexpr Milliseconds kHandshakes{1000};  // of a drain: what devices have to finish their handshakes and be told
constexpr size_t kChecksPerTurn = 32;      // each verifies a signature

SipKey random_key() {
  SipKey key;
  if (getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()))
    throw std::system_error(errno, std::generic_category(), "getrandom");
  return key;
}

// Session numbers tell sessions of all workers apart, in logs and audits of years: 32 random bits, then a count.
uint64_t first_session() {
  uint32_t random = 0;
  if (getrandom(&random, sizeof random, 0) != sizeof random)
    throw std::system_error(errno, std::generic_category(), "getrandom");
  return uint64_t{random} << 32;
}

// Takes inherited descriptors in their order.
class Inherited {
 public:
  std::vector<common::Fd> take(int count) {
    std::vector<common::Fd> taken;
    for (; count > 0; count--) {
      fcntl(next_, F_SETFD, FD_CLOEXEC);
      taken.emplace_back(next_++);
    }
    return taken;
  }

 private:
  int next_ = kFirstListenerFd;
};

std::vector<RemoteBroker> remote_brokers(const Plan& plan) {
  std::vector<RemoteBroker> brokers;
  for (size_t i = 0; i < plan.config.brokers.size(); i++)
    brokers.push_back({tls::ClientContext(tls::client_options(plan, i))});
  return brokers;
}

class Worker {
  // One listener: its sockets, and what its sessions share.
  struct Door {
    Worker& worker;
    SessionListener shared;
    std::unique_ptr<Acceptor> acceptor;

    Door(Worker& owner, const Config::Listener& config, const tls::ServerOptions& options, Counters::Listener& counters,
         const common::Rate& per_address)
        : worker(owner),
          shared{.config = config,
                 .tls = tls::ServerContext(options),
                 .counters = counters,
                 .addresses = AddressRates(per_address, random_key())} {}
    void open(common::Fd socket, const SocketAddress& device) { worker.open_session(*this, std::move(socket), device); }
  };

 public:
  Worker(uv_loop_t* loop, Plan plan)
      : loop_(loop),
        plan_(std::move(plan)),
        config_(plan_.config),
        scoreboard_(kScoreboardFd),
        brokers_(remote_brokers(plan_)),
        local_context_(tls::local_context(plan_)),
        connector_(loop, common::Fd(kChannelFd), brokers_.size()),
        keyd_(loop,
              {.socket_path = config_.keyd_socket,
               .worker = static_cast<uint16_t>(plan_.worker),
               .timeout = config_.sign_timeout,
               .answered = [this](ipc::Op op, uint64_t taken) { note_answer(op, taken); }},
              &connector_),
        runtime_(loop, &keyd_),
        services_{plan_.worker,
                  runtime_,
                  keyd_,
                  config_,
                  *scoreboard_,
                  brokers_,
                  local_context_.get(),
                  connector_,
                  this,
                  common::call<&Worker::retire>,
                  common::call<&Worker::tell_taken>},
        control_(kControlFd),
        memory_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)),
        destroy_(loop, this, common::call<&Worker::destroy_retired>),
        beat_(loop, this, common::call<&Worker::beat>),
        revoke_(loop, this, common::call<&Worker::check_some>),
        drain_(loop, this, common::call<&Worker::drain_some>),
        handshakes_(loop, this, common::call<&Worker::end_handshakes>),
        shutdown_(loop, this, common::call<&Worker::leave>) {
    open_doors();
    services_.endings = &*endings_;
    services_.log_levels = plan_.log;
    if (config_.local && config_.local->tap) {
      tap_ = std::make_unique<Tap>(
          Tap::Options{plan_.worker, *config_.local, config_.remote.connect_timeout, local_context_.get()}, runtime_,
          connector_, *scoreboard_);
      services_.tap = tap_.get();
    }
    beat();
    control_poll_ = std::make_unique<common::Poll>(loop, control_.get(), this, common::call<&Worker::on_control>);
    control_poll_->watch(UV_READABLE);
  }

  void announce() {
    if (::send(control_.get(), &kReady, 1, MSG_NOSIGNAL) != 1)
      throw std::system_error(errno, std::generic_category(), "can't tell the supervisor that this worker is ready");
  }

 private:
  void note_answer(ipc::Op op, uint64_t nanoseconds) {
    if (op == ipc::Op::lookup) scoreboard_->keyd_lookup.observe(nanoseconds);
    else if (op == ipc::Op::sign) scoreboard_->keyd_sign.observe(nanoseconds);
  }

  void open_doors() {
    Inherited inherited;
    std::vector<std::vector<common::Fd>> sockets;
    for (const auto& listener : plan_.sockets) sockets.push_back(inherited.take(listener.count));
    for (size_t i = 0; i < config_.listeners.size(); i++) {
      const Config::Listener& config = config_.listeners[i];
      Door& door = *doors_.emplace_back(std::make_unique<Door>(*this, config, tls::server_options(plan_, i),
                                                               scoreboard_->listeners[i],
                                                               share(config.max_conn_rate_per_address)));
      if (config_.listeners.size() > 1) door.shared.shown = config.name;
      if (config.flapping_detect)  // the worker has its memory, and this descriptor, for good
        door.shared.flapping.emplace(inherited.take(1).front().release(), *config.flapping_detect);
      door.acceptor =
          std::make_unique<Acceptor>(loop_, std::move(sockets.at(i)), acceptor_options(door.shared), *scoreboard_,
                                     scoreboard_->listeners[i], &door, common::call<&Door::open>);
      door.acceptor->hold(plan_.sockets.at(i).paused);
    }
    endings_.emplace(inherited.take(1).front().get());
  }

  // This worker's part of a rate: at least one.
  common::Rate share(common::Rate rate) const {
    if (rate.count > 0) rate.count = std::max<uint64_t>(share_of(rate.count, plan_.worker, config_.workers), 1);
    return rate;
  }

  Acceptor::Options acceptor_options(SessionListener& listener) const {
    return {.worker = plan_.worker,
            .listener = listener.config.name,
            .rate = share(listener.config.max_conn_rate),
            .backlog = listener.config.backlog,
            .max_memory = config_.worker_max_memory,
            .addresses = listener.config.proxy_protocol ? nullptr : &listener.addresses};
  }

  void open_session(Door& door, common::Fd socket, const SocketAddress& device) {
    const uint64_t id = next_session_++;
    auto [it, inserted] =
        sessions_.emplace(id, std::make_unique<Session>(services_, door.shared, id, std::move(socket), device));
    it->second->start();
  }

  // A session ends inside its own callbacks, so it is destroyed after they return.
  void retire(uint64_t id) {
    retired_.push_back(id);
    if (!destroy_.running()) destroy_.start(Milliseconds(0));
  }

  void destroy_retired() {
    for (const uint64_t id : retired_) sessions_.erase(id);
    retired_.clear();
    if (leaving_ && sessions_.empty()) common::Poller::stop(loop_);
  }

  // Signals the supervisor that this worker is alive, and updates the counters that are too costly to update at each
  // change.
  void beat() {
    beat_.start(std::min(kBeat, config_.worker_watchdog / 4));
    count(scoreboard_->beat);
    ask_keyd();
    services_.log_limits.report(plan_.worker, uv_now(loop_));
    log::flush();
    scoreboard_->log_dropped.store(log::dropped(), std::memory_order_relaxed);
    scoreboard_->fibers.store(runtime_.fibers.in_use(), std::memory_order_relaxed);
    char text[128] = {};  // proc(5): total pages, then resident pages
    if (::pread(memory_.get(), text, sizeof text - 1, 0) <= 0) return;
    if (const char* resident = strchr(text, ' '))
      scoreboard_->memory.store(strtoull(resident, nullptr, 10) * page_size_, std::memory_order_relaxed);
  }

  // Asks keyd for its state, which the status shows.
  void ask_keyd() {
    beats_without_keyd_ = keyd_.connected() ? 0 : beats_without_keyd_ + 1;
    scoreboard_->keyd_away.store(beats_without_keyd_ > 1, std::memory_order_relaxed);  // not yet connected at beat 1
    if (!keyd_.connected() || keyd_asked_) return;
    keyd_asked_ = keyd_.stats([this](const ipc::Client::Answer& answer) {
      keyd_asked_.reset();
      const auto counters = answer.arrived ? ipc::decode_counters(answer.payload) : std::nullopt;
      if (!counters) return;
      scoreboard_->keyd_degraded.store(counters->degraded, std::memory_order_relaxed);
      scoreboard_->keyd_notary_away.store(counters->notary_away, std::memory_order_relaxed);
    });
  }

  void leave() { common::Poller::stop(loop_); }

  void on_control(int) {
    char text[kMaxOrder];
    common::Fd attached;
    const ssize_t got = common::receive_datagram(control_.get(), text, attached);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      log::error("supervisor_gone", "the supervisor is gone; this worker exits", {{"worker", plan_.worker}});
      return leave();
    }
    const Order order = Order::decode({text, static_cast<size_t>(got)});
    switch (order.what) {
      case Order::What::retire: return retire_generation();
      case Order::What::close: return close_listeners();
      case Order::What::drain: return drain(Session::Leave::here);
      case Order::What::stop: return drain(Session::Leave::elsewhere);
      case Order::What::revoke: return revoke(attached);
      case Order::What::disconnect: return disconnect(order);
      case Order::What::take_over: return take_over(order.taken);
      case Order::What::pause: return hold(order.listener, true);
      case Order::What::resume: return hold(order.listener, false);
      case Order::What::log: return set_log_levels(order.log);
      case Order::What::feed: return feeds_.open(order.feed, std::move(attached));
    }
  }

  void hold(const std::string& listener, bool held) {
    for (auto& door : doors_)
      if (door->shared.config.name == listener) door->acceptor->hold(held);
  }

  void set_log_levels(const LogLevels& levels) {
    services_.log_levels = levels;
    log::open(kWorkerProgram, levels.lowest(), config_.log.format);
    for (const auto& [id, session] : sessions_) session->look_for_log_level();
  }

  // Checks kChecksPerTurn sessions per turn of the loop, so that relaying goes on in between.
  void revoke(const common::Fd& text) {
    const Revocations revocations = Revocations::from_memfd(text.get());
    revocations_.clear();
    for (const auto& [name, trusted, revoked, policy] : revocations.listeners)
      revocations_.try_emplace(name, trusted, revoked, policy);
    to_check_.clear();
    for (const auto& [id, session] : sessions_)
      if (revocations_.contains(session->listener().name)) to_check_.push_back(id);
    check_some();
  }

  void check_some() {
    for (size_t i = 0; i < kChecksPerTurn && !to_check_.empty(); i++) {
      const auto found = sessions_.find(to_check_.back());
      to_check_.pop_back();
      if (found == sessions_.end()) continue;
      Session& session = *found->second;
      if (revocations_.at(session.listener().name).revoked(session.chain())) session.end_revoked();
    }
    if (to_check_.empty()) revocations_.clear();
    else revoke_.start(Milliseconds(0));
  }

  void disconnect(const Order& order) {
    Ended ended{order.request, 0};
    for (const auto& [id, session] : sessions_) {
      const bool meant = order.session != 0 ? id == order.session : session->client_id() == order.client_id;
      if (meant && session->end_by_operator()) ended.sessions++;
    }
    char answer[1 + sizeof ended] = {kEnded};
    memcpy(answer + 1, &ended, sizeof ended);
    // If the answer can't be sent, the supervisor's deadline handles it.
    [[maybe_unused]] const ssize_t sent = ::send(control_.get(), answer, sizeof answer, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  void take_over(const Taken& taken) {
    const auto found = services_.on_empty_broker.find(key_of(taken));
    if (found != services_.on_empty_broker.end()) found->second->end_taken_over(taken);
  }

  // To the other workers. If it can't be sent, the device's older connection there ends by its keep alive.
  void tell_taken(const Taken& taken) {
    char message[1 + sizeof taken] = {kTaken};
    memcpy(message + 1, &taken, sizeof taken);
    [[maybe_unused]] const ssize_t sent = ::send(control_.get(), message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  // A newer generation accepts now; this worker exits when its last session ends.
  void retire_generation() {
    leaving_ = true;
    for (auto& door : doors_) door->acceptor->stop();
    destroy_.start(Milliseconds(0));
  }

  // The queue of a passed socket is for the relayd that is started next.
  void close_listeners() {
    for (size_t i = 0; i < doors_.size(); i++) {
      if (!plan_.sockets[i].passed) doors_[i]->acceptor->take_all();
      doors_[i]->acceptor->stop();
    }
    // If it can't be sent, the supervisor's deadline handles it.
    [[maybe_unused]] const ssize_t sent = ::send(control_.get(), &kClosed, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  // A worker that drains already may still be told that relayd stops.
  void drain(Session::Leave where) {
    leave_ = where;
    if (draining_) return;
    draining_ = true;
    retire_generation();
    shutdown_.start(config_.shutdown_timeout);
    for (auto& [id, session] : sessions_) {
      if (session->is_up()) to_drain_.push_back(id);
      else session->drain(leave_);
    }
    handshakes_.start(for_handshakes());
    per_tick_ = drained_per_tick(to_drain_.size(), config_.shutdown_timeout);
    drain_some();
  }

  // Where the next relayd takes over the sockets, a device is served sooner if it comes again at once.
  Milliseconds for_handshakes() const {
    const bool passed = std::ranges::all_of(plan_.sockets, &Plan::Sockets::passed);
    return passed ? Milliseconds(0) : std::min(kHandshakes, config_.shutdown_timeout / 2);
  }

  void drain_some() {
    for (size_t i = 0; i < per_tick_ && !to_drain_.empty(); i++) {
      const auto found = sessions_.find(to_drain_.back());
      to_drain_.pop_back();
      if (found != sessions_.end()) found->second->drain(leave_);
    }
    if (!to_drain_.empty()) drain_.start(kDrainTick);
  }

  void end_handshakes() {
    for (auto& [id, session] : sessions_)
      if (!session->is_up()) session->drain(leave_);
  }

  uv_loop_t* loop_;
  Plan plan_;
  const Config& config_;
  Scoreboard scoreboard_;
  std::vector<RemoteBroker> brokers_;
  std::unique_ptr<tls::ClientContext> local_context_;
  ConnectorClient connector_;
  ipc::Client keyd_;
  std::optional<ipc::Client::Ticket> keyd_asked_;
  int beats_without_keyd_ = 0;
  tls::Runtime runtime_;
  SessionServices services_;
  std::unique_ptr<Tap> tap_;
  std::optional<EndingsTable> endings_;
  std::vector<std::unique_ptr<Door>> doors_;  // as Config::listeners
  common::Fd control_, memory_;
  const uint64_t page_size_ = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  std::unique_ptr<common::Poll> control_poll_;
  std::unordered_map<std::string, tls::RevocationCheck> revocations_;  // by listener, while there are to_check_
  std::vector<uint64_t> to_check_;
  common::Timer destroy_, beat_, revoke_, drain_, handshakes_, shutdown_;
  Feeds::Sessions sessions_;
  Feeds feeds_{loop_, sessions_, services_.traces};
  std::vector<uint64_t> retired_;
  uint64_t next_session_ = first_session();
  std::vector<uint64_t> to_drain_;
  size_t per_tick_ = 0;
  Session::Leave leave_ = Session::Leave::here;
  bool leaving_ = false, draining_ = false;
};

// Sends the supervisor the cause of this worker's end, for its log.
void say_last_words(std::string words) {
  words.insert(words.begin(), kLastWords);
  words.resize(std::min(words.size(), 1 + kMaxLastWords));
  [[maybe_unused]] const ssize_t sent = ::send(kControlFd, words.data(), words.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

int run_worker() {
  log::open(kWorkerProgram);
  prctl(PR_SET_NAME, kWorkerName);
  uv_loop_t loop;
  uv_loop_init(&loop);
  int status = 0;
  std::optional<Worker> worker;  // outside the try block: the handlers below still need its control socket
  try {
    // A worker exits only on its supervisor's order or death, not when a terminal or service manager signals the whole
    // process group. If the supervisor died before this line, the end of the control socket shows it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
    for (const int fd : {kPlanFd, kControlFd, kScoreboardFd, kChannelFd}) fcntl(fd, F_SETFD, FD_CLOEXEC);
    require_supervisor(kPlanFd);
    Plan plan = Plan::from_memfd(kPlanFd);
    close(kPlanFd);
    log::open(kWorkerProgram, plan.log.lowest(), plan.config.log.format);
    common::report_crashes(kWorkerProgram);
    const int number = plan.worker, listeners = plan.all_sockets();
    const bool sandboxed = plan.config.require_sandbox;
    worker.emplace(&loop, std::move(plan));
    enter_sandbox(number, listeners, sandboxed);
    worker->announce();
    common::Poller::run(&loop);
  } catch (const std::exception& error) {
    log::error("exits", error.what());
    say_last_words(error.what());
    status = 1;
  }
  worker.reset();
  uv_run(&loop, UV_RUN_DEFAULT);  // finishes closing the worker's handles
  uv_loop_close(&loop);
  log::finish();
  return status;
}

}  // namespace relayd
