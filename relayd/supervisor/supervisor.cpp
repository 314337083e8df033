#include "relayd/supervisor/supervisor.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

#include "common/hardening.h"
#include "common/log.h"
#include "common/sd_notify.h"
#include "relayd/handover/flapping.h"
#include "relayd/supervisor/activation.h"
#include "relayd/supervisor/change_watch.h"
#include "relayd/supervisor/disconnects.h"
#include "relayd/supervisor/doors.h"
#include "relayd/supervisor/ended_counts.h"
#include "relayd/supervisor/generations.h"
#include "relayd/supervisor/inspection.h"
#include "relayd/supervisor/key_check.h"
#include "relayd/supervisor/load.h"
#include "relayd/supervisor/sandbox.h"
#include "relayd/supervisor/stopping.h"
#include "relayd/supervisor/trust_watch.h"

namespace relayd {
namespace {

namespace log = common::log;
using common::ConfigError;
using common::Milliseconds;

constexpr Milliseconds kTick{1000};
constexpr Milliseconds kLook{60000};     // between two checks of CAs and CRLs
constexpr Milliseconds kPrepare{30000};  // until a reload's generation serves: inspection, keyd, names, workers

class Supervisor final : private Generation::Owner, private Control::Owner {
 public:
  Supervisor(uv_loop_t* loop, std::string config_file, Overrides overrides)
      : loop_(loop),
        config_file_(std::move(config_file)),
        overrides_(std::move(overrides)),
        prepare_(loop, this, common::call<&Supervisor::prepare_timed_out>),
        tick_(loop, this, common::call<&Supervisor::tick>),
        look_(loop, this, common::call<&Supervisor::look_at_trust>),
        watchdog_(loop, this, common::call<&Supervisor::feed_watchdog>),
        destroy_(loop, this, common::call<&Supervisor::destroy_ended>),
        disconnects_(loop, this, common::call<&Supervisor::on_disconnected>),
        stopping_(loop, this, common::call<&Supervisor::end_sessions>) {
    log::open("mqtt-relayd");
    lacking_ = enter_supervisor_sandbox(programs_);
    Loaded loaded = common::wait_for([&] { return read(); });
    const Config& config = loaded.plan.config;
    log::open("mqtt-relayd", config.log);
    common::accept_sandbox(lacking_, config.require_sandbox);
    auto passed = common::take_passed_sockets();
    const auto activated = common::wait_for([&] { return activated_listeners(passed, config.listeners); });
    sockets_ = common::wait_for([&] { return sockets_for(config, activated); });
    uv_update_time(loop_);  // the loop's clock stood still during the wait; timers would expire at once
    doors_.emplace(loop_, programs_.monitor, config, static_cast<Control::Owner&>(*this));
    for (size_t i = 0; i < std::size(kSignals); i++) watch_signal(kSignals[i], signals_[i]);
    prepare(std::move(loaded), sockets_);
    tick_.start(kTick);
    feed_watchdog();
  }

  // Throws the cause, if a failure stopped the supervisor.
  void report_failure() const {
    if (failure_ == Failure::configuration) throw ConfigError(first_cause_);
    if (failure_ == Failure::worker) throw std::runtime_error(first_cause_);
  }

 private:
  enum class Failure { none, configuration, worker };
  static constexpr int kSignals[] = {SIGTERM, SIGINT, SIGHUP};

  void watch_signal(int number, common::UvPtr<uv_signal_t>& handle) {
    handle.reset(new uv_signal_t);
    uv_signal_init(loop_, handle.get());
    handle->data = this;
    uv_signal_start(handle.get(), common::call_handle<uv_signal_t, &Supervisor::on_signal>, number);
  }

  // Whether the log goes to a terminal is settled here: in no sandbox can a process ask (ioctl(2)).
  Loaded read() const {
    Loaded loaded = load(config_file_, overrides_);
    log::Format& format = loaded.plan.config.log.format;
    if (format == log::Format::automatic) format = at_terminal_ ? log::Format::text : log::Format::json;
    return loaded;
  }

  void on_signal(int number) {
    if (number == SIGHUP) reload();
    else stop();
  }

  // ---- the operator's requests

  Status status() override {
    Status status;
    ended_.set_own_dropped(log::dropped());
    ended_.add_to(status);
    all_.add_to(status);
    status.reloads = reloads_;
    status.failed_reloads = failed_reloads_;
    status.bind = text(sockets_);
    for (size_t i = 0; all_.current && i < sockets_.size(); i++)
      status.listeners.push_back({all_.current->config().listeners[i].name, sockets_[i]->text()});
    status.trust = trust_.concerns();
    status.expiries = trust_.expiries();
    if (all_.current) status.paused = pauses_.among(all_.current->config().listeners);
    if (doors_) status.monitor = doors_->monitor();
    return status;
  }

  bool reloading() const override { return all_.next && all_.current; }

  void disconnect(uint64_t connection, const Whom& whom) override {
    const uint32_t request = disconnects_.begin(connection, whom);
    disconnects_.expect(request, all_.disconnect(whom, request));
  }

  std::string pause(const std::string& listener, bool pause) override {
    if (!all_.current) throw std::runtime_error("relayd does not serve yet");
    const auto changed = pauses_.change(all_.current->config().listeners, listener, pause);
    pauses_untold_.insert(changed.begin(), changed.end());
    if (!tell_pauses())
      throw std::runtime_error("it is set, but a worker does not read its orders; it is told as soon as it does");
    return changed_pauses(changed, pause);
  }

  bool tell_pauses() {
    if (!all_.tell_paused(pauses_untold_)) return false;
    pauses_untold_.clear();
    return true;
  }

  std::string set_log_level(const LogChange& change, const Requester& requester) override {
    if (!all_.current) throw std::runtime_error("relayd does not serve yet");
    const auto changed = log_levels_.change(change, configured_level(), uv_now(loop_));
    if (changed) apply_log_level(*changed, [&] { log_change(*changed, requester); });
    if (!log_levels_told_)
      throw std::runtime_error(
          "it is set, but a process of relayd does not read its orders; it is told as soon as it does");
    return in_words(changed, change);
  }

  LogState log_state() const override { return {log_levels_, configured_level(), uv_now(loop_)}; }

  log::Level configured_level() const { return all_.current ? all_.current->config().log.level : log::Level::info; }

  // `report` logs it, while the log is at the lower one of both levels.
  template <typename Report>
  void apply_log_level(const LogOverrides::Changed& changed, Report report) {
    const bool quieter = changed.after > changed.before;
    if (quieter) report();
    open_log();
    if (!quieter) report();
    log_levels_told_ = all_.tell_log_levels();
  }

  void open_log() {
    const log::Level level = log_levels_.levels(configured_level()).level;
    log::open("mqtt-relayd", level, all_.current->config().log.format);
    doors_->set_log_level(level);
  }

  const SlotEndings& endings() const override { return endings_; }

  OpenFeeds open_feeds(const FeedRequest& request) override { return all_.open_feeds(request); }

  void on_disconnected(uint64_t connection, bool ok, const std::string& outcome) {
    if (doors_) doors_->disconnect_ended(connection, ok, outcome);
  }

  void on_ended(const Ended& ended) override { disconnects_.answered(ended.request, ended.sessions); }

  void on_taken(const Taken& taken) override {
    all_.for_each([&](Generation& generation) { generation.take_over(taken); });
  }

  void answer_operator(bool ok, const std::string& outcome) {
    if (doors_) doors_->reload_ended(ok, outcome);
  }

  void on_death(const Config& config, const Counters& counters) override { ended_.add(config, counters); }

  // ---- a new generation, at start and at a reload: load → inspect → ask keyd → resolve → start workers → serve

  void reload() override {
    if (stops()) return answer_operator(false, "relayd is stopping");
    if (all_.next || !all_.current) {
      reload_again_ = true;  // the running reload may have read the files before they changed
      return;
    }
    common::sd_notify_reloading();
    log::info("reload_began", "relayd reloads its configuration", {{"file", config_file_}});
    try {
      changes_.about_to_read();
      Loaded loaded = read();
      const Config& config = loaded.plan.config;
      if (config.require_sandbox) common::accept_sandbox(lacking_, true);
      prepare(std::move(loaded), sockets_for(config, sockets_));
      prepare_.start(kPrepare);
    } catch (const std::exception& error) {
      reload_failed(error.what());
    }
  }

  void prepare(Loaded loaded, std::vector<std::shared_ptr<ListenSockets>> sockets) {
    const Plan& plan = loaded.plan;
    changes_.have_read(plan.config.reload_on_change ? loaded.files : std::vector<std::string>());
    if (const std::string others = common::in_words(loaded.sources); !others.empty())
      log::info("configuration_layers", "drop-ins and variables win over the configuration's file",
                {{"file", config_file_}, {"what", others}});
    inspection_.emplace(loop_, programs_.inspector, plan, this, common::call<&Supervisor::on_inspected>);
    for (const auto& listener : plan.config.listeners)
      if (auto& tables = flapping_[listener.name]; listener.flapping_detect)
        while (std::ssize(tables) < plan.config.workers) tables.push_back(FlappingTable::create());
    endings_.grow(plan.config.workers);
    if (all_.current) pauses_.follow(all_.current->config().listeners, plan.config.listeners);
    next_sockets_ = sockets;
    all_.next = std::make_unique<Generation>(loop_, ++generations_, programs_.worker, programs_.connector,
                                             std::move(loaded), std::move(sockets), flapping_, endings_, pauses_,
                                             log_levels_, static_cast<Generation::Owner&>(*this));
  }

  void on_inspected(const Inspection::Result& result) {
    inspection_.reset();
    if (!all_.next || stops()) return;
    if (!result.failure.empty()) return abandon(result.failure, Failure::worker);
    if (!result.findings.problem.empty()) return abandon(result.findings.problem);
    std::vector<OwnKeyCheck::Certificate> certificates;
    for (const auto& listener : all_.next->plan().pem.listeners)
      for (const auto& pem : listener.certificates) certificates.push_back({pem.name(), {}, ipc::Role::listener});
    if (const auto& pem = all_.next->plan().pem.local_certificate; !pem.text.empty())
      certificates.push_back({pem.name(), {}, ipc::Role::local});
    const auto& spkis = result.findings.own_spkis;
    if (spkis.size() != certificates.size())
      return abandon("mqtt-relayd-inspector gave a malformed answer: not one key a certificate", Failure::worker);
    for (size_t i = 0; i < spkis.size(); i++) certificates[i].spki = spkis[i];
    next_findings_ = result.findings;
    key_check_ = std::make_unique<OwnKeyCheck>(loop_, std::move(certificates), all_.next->config().keyd_socket, this,
                                               common::call<&Supervisor::on_key_checked>);
  }

  void on_key_checked(const OwnKeyCheck::Verdict& verdict) {
    using Result = OwnKeyCheck::Result;
    if (!all_.next) return;
    // At start keyd may be starting, too, so relayd goes on. A reload fails: the operator can repeat it.
    if (verdict.result == Result::wrong || (verdict.result == Result::keyd_away && all_.current))
      return abandon(verdict.text());
    if (verdict.result == Result::keyd_away)
      log::warning("keyd_away", verdict.problem + "; devices are refused until it serves");
    all_.share_connections();
    all_.next->start(all_.current.get());
  }

  void on_unresolved(Generation&, const std::string& problem) override { abandon(problem); }

  void on_serving(Generation& generation) override {
    if (&generation != all_.next.get()) return;
    prepare_.stop();
    key_check_.reset();
    const bool first = !all_.current;
    all_.advance();
    sockets_ = std::exchange(next_sockets_, {});
    ended_.keep(all_.current->config().listeners);
    open_log();
    log::info(first ? "ready" : "reloaded", first ? "relayd serves" : "relayd reloaded",
              {{"bind", text(sockets_)},
               {"workers", all_.current->slots().size()},
               {"remote", names_of(all_.current->config().brokers)},
               {"generation", all_.current->number()},
               {"version", MQTT_RELAY_VERSION}});
    trust_.update(std::move(next_findings_));
    look_.start(kLook);
    if (!first) {
      log_kept(log_levels_, configured_level());
      all_.apply_to_old();
      reloads_++;
      answer_operator(true, "reloaded generation " + std::to_string(all_.current->number()));
    }
    all_.share_connections();
    common::sd_notify("READY=1");
    status_.clear();
    destroy_.start(Milliseconds(0));
  }

  // Discards the generation that is being prepared.
  void abandon(const std::string& cause, Failure failure = Failure::configuration) {
    if (!all_.next) return;
    if (!all_.current) return fail(cause, failure);
    prepare_.stop();
    retire_failed_next();
    reload_failed(cause);
  }

  void prepare_timed_out() { abandon("it took too long"); }

  void retire_failed_next() {
    inspection_.reset();
    all_.next->kill();
    discard_added(next_sockets_, sockets_);
    next_sockets_.clear();
    all_.old.push_back(std::move(all_.next));
    destroy_.start(Milliseconds(0));
  }

  void reload_failed(const std::string& cause) {
    log::error("reload_failed", "reload failed; nothing has changed", {{"cause", cause}});
    failed_reloads_++;
    answer_operator(false, cause);
    common::sd_notify("READY=1");
    destroy_.start(Milliseconds(0));
  }

  // ---- workers that die

  void on_hopeless(Generation& generation, const std::string& cause) override {
    if (&generation == all_.next.get() && all_.current) return abandon(cause);
    fail(cause, Failure::worker);
  }

  void on_gone(Generation&) override { destroy_.start(Milliseconds(0)); }

  // Objects that end inside their own callbacks are destroyed here, after these have returned.
  void destroy_ended() {
    if (!all_.next) key_check_.reset();
    all_.drop_gone();
    std::erase_if(flapping_, [&](const auto& tables) { return !all_.has_listener(tables.first); });
    if (stops() && all_.gone()) uv_stop(loop_);
    if (!all_.next && all_.current && reload_again_) reload_again_ = false, reload();
  }

  // ---- every second

  void tick() {
    tick_.start(kTick);
    log::flush();
    for (const auto& sockets : sockets_) sockets->mend();
    all_.share_connections();
    tell_status();
    for (const auto& changed : log_levels_.expire(configured_level(), uv_now(loop_)))
      apply_log_level(changed, [&] { log_expiry(changed); });
    if (!log_levels_told_) log_levels_told_ = all_.tell_log_levels();
    tell_pauses();
    if (const std::string changed = changes_.changed(uv_now(loop_)); !changed.empty()) {
      log::info("files_changed", "files have changed, so relayd reloads", {{"files", changed}});
      reload();
    }
  }

  void look_at_trust() {
    look_.start(kLook);
    if (all_.current) trust_.look(loop_, programs_.inspector, all_.current->plan());
  }

  void tell_status() {
    if (!all_.current || stops()) return;
    std::string status = service_status(this->status(), all_.connections(), doors_->waits_for());
    if (status == status_) return;
    status_ = std::move(status);
    common::sd_notify(status_);
  }

  void feed_watchdog() {
    if (const auto interval = common::sd_watchdog_interval()) {
      common::sd_notify("WATCHDOG=1");
      watchdog_.start(*interval / 2);
    }
  }

  // ---- the end

  void fail(std::string why, Failure failure) {
    if (failure_ == Failure::none) failure_ = failure, first_cause_ = std::move(why);
    if (!stops()) stop();
  }

  void stop() {
    if (stops()) return kill_workers();  // a second request means: at once
    common::sd_notify("STOPPING=1");
    const Milliseconds timeout = (all_.current ? all_.current : all_.next)->config().shutdown_timeout;
    if (all_.current)
      log::info("stopping", "relayd stops: it accepts no new devices, and closes every session with a reason",
                {{"shutdown_timeout_ms", timeout.count()}});
    prepare_.stop();
    inspection_.reset();
    trust_.stop();
    for (int waiting = 0; waiting < 2; waiting++)
      answer_operator(false, "relayd is stopping");  // running and next reload
    all_.for_each([](Generation& generation) { generation.close(); });
    stopping_.begin(all_.accepting());
  }

  bool stops() const { return stopping_.phase() != Stopping::Phase::serving; }

  void on_accepting() override { stopping_.still_accept(all_.accepting()); }

  void end_sessions(size_t accepting) {
    if (accepting > 0)
      log::warning("listeners_closed", "workers have not closed their listeners in time; relayd closes them",
                   {{"workers", accepting}});
    for (auto* all : {&sockets_, &next_sockets_}) {
      for (const auto& sockets : *all) sockets->end();
      all->clear();
    }
    all_.for_each([](Generation& generation) { generation.drain(Order::What::stop); });
    destroy_.start(Milliseconds(0));
  }

  void kill_workers() {
    all_.for_each([](Generation& generation) { generation.kill(); });
  }

  uv_loop_t* loop_;
  const Programs programs_;
  std::vector<std::string> lacking_;  // of the sandbox
  const std::string config_file_;
  const bool at_terminal_ = isatty(STDERR_FILENO) == 1;  // asked before the sandbox
  const Overrides overrides_;
  common::Timer prepare_, tick_, look_, watchdog_, destroy_;
  Disconnects disconnects_;
  Stopping stopping_;
  common::UvPtr<uv_signal_t> signals_[std::size(kSignals)];
  std::vector<std::shared_ptr<ListenSockets>> sockets_, next_sockets_;  // of current and next, as config.listeners
  std::optional<Inspection> inspection_;                                // of next
  std::unique_ptr<OwnKeyCheck> key_check_;
  Findings next_findings_;
  TrustWatch trust_;
  ChangeWatch changes_;
  // These tables outlive workers and generations.
  FlappingMemory flapping_;
  SlotEndings endings_;
  Pauses pauses_;
  // Listeners of whose pause, or its end, a worker has not heard: tick() tells it again.
  std::set<std::string> pauses_untold_;
  LogOverrides log_levels_;
  bool log_levels_told_ = true;  // to every process; if not, tick() tries again
  Generations all_;
  std::optional<Doors> doors_;
  EndedCounts ended_;
  uint64_t reloads_ = 0, failed_reloads_ = 0;
  int generations_ = 0;
  bool reload_again_ = false;
  std::string status_, first_cause_;
  Failure failure_ = Failure::none;
};

}  // namespace

int run_supervisor(const std::string& config_file, const Overrides& overrides) {
  for (const int number : {SIGPIPE, SIGHUP}) ::signal(number, SIG_IGN);  // SIGHUP: until a reload is possible
  uv_loop_t loop;
  uv_loop_init(&loop);
  std::exception_ptr failure;
  try {
    Supervisor supervisor(&loop, config_file, overrides);
    uv_run(&loop, UV_RUN_DEFAULT);
    supervisor.report_failure();
  } catch (...) {
    failure = std::current_exception();
  }
  uv_run(&loop, UV_RUN_DEFAULT);  // finishes closing the supervisor's handles
  uv_loop_close(&loop);
  if (failure) std::rethrow_exception(failure);
  return 0;
}

}  // namespace relayd
