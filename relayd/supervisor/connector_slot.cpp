#include "relayd/supervisor/connector_slot.h"

#include <signal.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "common/datagram.h"
#include "common/log.h"
#include "relayd/handover/archive.h"
#include "relayd/handover/plan.h"

namespace relayd {
namespace {

namespace log = common::log;
using common::Milliseconds;

constexpr int kLooksPerWatchdog = 4;
constexpr Milliseconds kToLogItsStack{1000};  // between SIGABRT, which makes it log its stack, and SIGKILL
constexpr Milliseconds kToEnd{1000};          // from the sign to end until it is killed
// It sends a beat a second, or four in worker_watchdog, and little else. If it exceeds this, an attacker controls it.
constexpr int kMostMessagesPerSecond = 100;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

ConnectorPlan plan_of(const Config& config, std::string proxy_credentials, int generation) {
  ConnectorPlan plan{.generation = generation,
                     .workers = config.workers,
                     .brokers = {},
                     .strategy = config.remote.strategy,
                     .sources = config.remote.bind,
                     .proxy = {},
                     .local = config.local ? std::optional(config.local->broker) : std::nullopt,
                     .certs_dir = config.remote.certs_dir,
                     .keyd_socket = config.keyd_socket,
                     .sign_timeout = config.sign_timeout,
                     .connect_timeout = config.remote.connect_timeout,
                     .resolve_interval = config.resolve_interval,
                     .watchdog = config.worker_watchdog,
                     .log = config.log,
                     .require_sandbox = config.require_sandbox,
                     .known = {}};
  if (config.remote.proxy) plan.proxy = {*config.remote.proxy, std::move(proxy_credentials)};
  for (const Config::Broker& broker : config.brokers) plan.brokers.push_back(broker.at);
  while (plan.series == 0)
    if (getrandom(&plan.series, sizeof plan.series, 0) != sizeof plan.series) fail("getrandom");
  return plan;
}

}  // namespace

const char* name(ConnectorSlot::State state) {
  switch (state) {
    case ConnectorSlot::State::idle:
    case ConnectorSlot::State::waiting: return "waiting";
    case ConnectorSlot::State::starting: return "starting";
    case ConnectorSlot::State::serving: return "serving";
    case ConnectorSlot::State::ending: return "ending";
    case ConnectorSlot::State::gone: return "gone";
  }
  return "";
}

ConnectorSlot::ConnectorSlot(uv_loop_t* loop, const common::Program& program, const Config& config,
                             std::string proxy_credentials, int generation, Owner& owner)
    : loop_(loop),
      program_(program),
      owner_(owner),
      plan_(plan_of(config, std::move(proxy_credentials), generation)),
      policy_(config.max_restarts, config.restart_window),
      restart_(loop, this, common::call<&ConnectorSlot::try_to_start>),
      beat_(loop, this, common::call<&ConnectorSlot::look_for_a_beat>),
      kill_(loop, this, common::call<&ConnectorSlot::kill_hanging>) {}

ConnectorSlot::~ConnectorSlot() { control_poll_.reset(); }

void ConnectorSlot::start(KnownAddresses known) {
  plan_.known = std::move(known);
  try_to_start();
}

void ConnectorSlot::try_to_start() {
  state_ = State::starting;
  try {
    spawn();
  } catch (const std::system_error& error) {
    control_.reset();
    died(error.what(), 0);
  }
}

void ConnectorSlot::spawn() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
    fail("socketpair for the connector");
  control_.reset(pair[0]);
  const common::Fd theirs(pair[1]), memfd = plan_.to_memfd();
  const int inherited[] = {memfd.get(), theirs.get()};
  static_assert(kConnectorPlanFd == 3 && kConnectorControlFd == 4);
  process_.emplace(loop_, program_, kConnectorName, inherited, this, common::call<&ConnectorSlot::on_exit>);
  last_words_.clear();
  missed_beats_ = 0;
  for (auto& [worker, channel] : channels_) channel.given = false;
  control_poll_ = std::make_unique<common::Poll>(loop_, control_.get(), this, common::call<&ConnectorSlot::on_control>);
  control_poll_->watch(UV_READABLE);
  beat_.start(plan_.watchdog / kLooksPerWatchdog);
  log::info("connector_started", "connector started", {{"pid", pid()}, {"generation", plan_.generation}});
}

void ConnectorSlot::give(int worker, common::Fd channel) {
  channels_[worker] = {std::move(channel)};
  give_waiting();
}

// As many channels as the connector's queue takes; the others when it has read them.
void ConnectorSlot::give_waiting() {
  if (!control_poll_ || state_ != State::serving) return;
  for (auto& [worker, channel] : channels_) {
    if (channel.given) continue;
    char message[1 + sizeof(ChannelOf)] = {kChannel};
    const ChannelOf which{worker};
    memcpy(message + 1, &which, sizeof which);
    if (!common::send_datagram(control_.get(), {message, sizeof message}, channel.end.get())) {
      if (errno == EAGAIN || errno == ETOOMANYREFS) return control_poll_->watch(UV_READABLE | UV_WRITABLE);
      return misbehaved(std::string("it takes no channel: ") + strerror(errno));
    }
    channel.given = true;
  }
  control_poll_->watch(UV_READABLE);
}

bool ConnectorSlot::set_log_level(log::Level level) {
  if (plan_.log.level == level) return true;
  const char message[] = {kLogLevel, static_cast<char>(level)};
  if (process_ && !common::send_datagram(control_.get(), {message, sizeof message}) && !common::peer_has_ended(errno))
    return false;
  plan_.log.level = level;
  return true;
}

void ConnectorSlot::on_control(int events) {
  if (events & UV_WRITABLE) give_waiting();
  if (!(events & UV_READABLE) || !control_poll_) return;
  char message[NamesReport::kMost];
  const ssize_t got = ::recv(control_.get(), message, sizeof message, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return control_poll_.reset();  // Child reports the exit
  take({message, static_cast<size_t>(got)});
}

void ConnectorSlot::take(std::string_view message) {
  if (const uint64_t second = uv_now(loop_) / 1000; second != second_) second_ = second, messages_ = 0;
  if (++messages_ > kMostMessagesPerSecond) return misbehaved("it sent too many messages");
  switch (message.front()) {
    case kServing:
      if (state_ != State::starting) return;
      state_ = State::serving;
      served_ = true;
      return give_waiting();
    case kBeat: missed_beats_ = 0; return;
    case kDying: last_words_ = message.substr(1, kMaxLastWords); return;
    case kNames:
      try {
        const auto report = NamesReport::decode(message);
        plan_.known = report.known;
        return owner_.on_names(report);
      } catch (const BadArchive& error) {
        return misbehaved(std::string("it sent a report of names that is not one: ") + error.what());
      }
    default: return misbehaved("it sent something that is not a message of a connector");
  }
}

void ConnectorSlot::misbehaved(const std::string& why) {
  last_words_ = "killed by relayd because " + why;
  control_poll_.reset();
  process_->kill(SIGKILL);
}

void ConnectorSlot::end() {
  restart_.stop();
  if (state_ == State::gone || state_ == State::ending) return;
  if (state_ == State::idle || !process_) {
    state_ = State::gone;
    return owner_.on_connector_gone();
  }
  state_ = State::ending;
  beat_.stop();
  shutdown(control_.get(), SHUT_WR);  // the sign to end
  kill_.start(kToEnd);
}

void ConnectorSlot::kill() {
  end();
  kill_hanging();
}

void ConnectorSlot::on_exit(const Child::Death& death) {
  beat_.stop();
  kill_.stop();
  while (control_poll_ && state_ != State::ending) {  // its last words may still be in the socket
    char waiting;
    if (::recv(control_.get(), &waiting, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) break;
    on_control(UV_READABLE);
  }
  const int dead = pid();
  const std::string cause = last_words_.empty() ? death.text() : death.text() + ": " + last_words_;
  control_poll_.reset();
  control_.reset();
  process_.reset();
  if (state_ != State::ending) return died(cause, dead);
  state_ = State::gone;
  channels_.clear();
  owner_.on_connector_gone();
}

void ConnectorSlot::died(const std::string& cause, int pid) {
  const bool had_served = state_ == State::serving;
  state_ = State::waiting;
  const auto restart = policy_.after_death(had_served, RestartPolicy::Clock::now());
  if ((restart.quarantined && !served_) || !owner_.connector_may_restart()) {
    log::error("connector_died", "connector died", {{"pid", pid}, {"generation", plan_.generation}, {"cause", cause}});
    return owner_.on_connector_hopeless("the connector can't start: " + cause);
  }
  const auto delay = std::min<Milliseconds>(restart.delay, RestartPolicy::kLast);
  log::error("connector_died", "connector died; sessions go on, new ones wait for its successor",
             {{"pid", pid}, {"generation", plan_.generation}, {"cause", cause}, {"restart_in_ms", delay.count()}});
  restarts_++;
  restart_.start(delay);
}

// Counts checks instead of milliseconds, as WorkerSlot does.
void ConnectorSlot::look_for_a_beat() {
  if (++missed_beats_ <= kLooksPerWatchdog) return beat_.start(plan_.watchdog / kLooksPerWatchdog);
  log::error("connector_hung", "connector hangs: its event loop has not run for worker_watchdog; relayd kills it",
             {{"pid", pid()}, {"generation", plan_.generation}, {"worker_watchdog_ms", plan_.watchdog.count()}});
  process_->kill(SIGABRT);
  kill_.start(kToLogItsStack);
}

void ConnectorSlot::kill_hanging() {
  if (process_) process_->kill(SIGKILL);
}

}  // namespace relayd
