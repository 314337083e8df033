#include "relayd/supervisor/supervisor.h"

#include <signal.h>

#include <algorithm>

#include "common/hardening.h"
#include "common/log.h"
#include "common/sd_notify.h"
#include "ipc/client.h"
#include "relayd/supervisor/listen.h"
#include "relayd/supervisor/resolver.h"
#include "relayd/supervisor/worker_slot.h"

namespace relayd {
namespace {

namespace log = common::log;
using common::ConfigError;
using common::Milliseconds;

constexpr size_t kMaxConfigFile = 1024 * 1024, kMaxPemFile = 16 * 1024 * 1024;
constexpr Milliseconds kKeydAtStart{2000};  // to find out whether the listener's key fits; without keyd we start anyway
constexpr Milliseconds kBeyondShutdown{1000};  // for workers to leave after shutdown_timeout, before they are killed

// Errors about the file, here or where it is parsed, begin with the setting that names it.
tls::Pem read_pem(const std::string& config_file, const std::string& setting, const std::string& file) {
  if (file.empty()) return {};
  const std::string origin = config_file + ": " + setting + ": ";
  try {
    return {origin + file, common::read_file(file, kMaxPemFile)};
  } catch (const ConfigError& error) {
    throw ConfigError(origin + error.what());
  }
}

class Supervisor final : public WorkerSlot::Owner {
 public:
  Supervisor(uv_loop_t* loop, Plan plan)
      : loop_(loop),
        plan_(std::move(plan)),
        config_(plan_.config()),
        // Made here only to be checked: what a worker could not load must be known before one is started.
        certificate_(tls::ServerContext(plan_.server_options(config_)).certificate()),
        kill_(loop, this, [](void* self) { static_cast<Supervisor*>(self)->kill_workers(); }) {
    tls::ClientContext(plan_.client_options(config_));
    auto listeners = open_listeners(config_.listener, config_.workers);
    for (int i = 0; i < config_.workers; i++)
      slots_.push_back(std::make_unique<WorkerSlot>(loop, i, std::move(listeners[static_cast<size_t>(i)]), *this));
    for (size_t i = 0; i < std::size(kSignals); i++) watch_signal(kSignals[i], signals_[i]);
    check_listener_key();
    const auto resolved = [](void* self) { static_cast<Supervisor*>(self)->on_resolved(); };
    remote_.emplace(loop, config_.remote_endpoint, this, resolved);
    if (config_.local) local_.emplace(loop, *config_.local, this, resolved);
  }

  int status() const { return status_; }
  const std::string& failure() const { return failure_; }

 private:
  static constexpr int kSignals[] = {SIGTERM, SIGINT};

  void watch_signal(int number, common::UvPtr<uv_signal_t>& handle) {
    handle.reset(new uv_signal_t);
    uv_signal_init(loop_, handle.get());
    handle->data = this;
    uv_signal_start(
        handle.get(), [](uv_signal_t* h, int) { static_cast<Supervisor*>(h->data)->stop(); }, number);
  }

  // The certificate is here, its key is keyd's: whether they belong together only keyd can tell.
  void check_listener_key() {
    keyd_ = std::make_unique<ipc::Client>(loop_, ipc::Client::Options{config_.keyd_socket, 0xffff, kKeydAtStart});
    const ipc::Lookup lookup{ipc::Role::listener, certificate_.spki, {}, ""};
    keyd_->lookup(lookup, [this](const ipc::Client::Answer& answer) { on_listener_key(answer); });
  }

  void on_listener_key(const ipc::Client::Answer& answer) {
    listener_key_checked_ = true;
    const std::string& file = plan_.listener_certificate.file;
    if (!answer.arrived)
      log::warning("keyd could not be asked whether it has the listener's key; devices are refused until it serves",
                   {{"socket", config_.keyd_socket}, {"certfile", file}});
    else if (answer.status == ipc::Status::mismatch)
      return fail(file +
                  ": this certificate does not match keyd's listener_keyfile; give both "
                  "the files that belong together (compare \"openssl x509 -pubkey -noout -in CERT\" and \"openssl pkey "
                  "-pubout -in KEY\")");
    else if (answer.status != ipc::Status::ok)
      return fail(file + ": keyd can't use its listener_keyfile (" + ipc::name(answer.status) +
                  "); its log names the cause");
    start_when_prepared();
  }

  void on_resolved() {
    if (started_)
      for (auto& slot : slots_) slot->send({Order::What::addresses, addresses()});
    else start_when_prepared();
  }

  Addresses addresses() const {
    return {remote_->addresses(), local_ ? local_->addresses() : std::vector<SocketAddress>{}};
  }

  void start_when_prepared() {
    const bool resolved = remote_ && remote_->tried() && (!config_.local || (local_ && local_->tried()));
    if (started_ || stopping_ || !listener_key_checked_ || !resolved) return;
    started_ = true;
    for (auto& slot : slots_) slot->start();
  }

  // ---- WorkerSlot::Owner

  Plan plan_for(int worker) override {
    plan_.worker = worker;
    plan_.addresses = addresses();
    return plan_;
  }

  void on_serving() override {
    const auto serving = [](const auto& slot) { return slot->serving(); };
    if (ready_ || !std::all_of(slots_.begin(), slots_.end(), serving)) return;
    ready_ = true;
    keyd_.reset();  // was for the start only
    log::info("relayd serves", {{"bind", config_.listener.bind.host + ":" + std::to_string(config_.listener.bind.port)},
                                {"workers", slots_.size()},
                                {"remote", config_.remote_endpoint.host},
                                {"version", MQTT_RELAY_VERSION}});
    common::sd_notify("READY=1");
  }

  void on_gone() override {
    const auto gone = [](const auto& slot) { return slot->gone(); };
    if (std::all_of(slots_.begin(), slots_.end(), gone)) uv_stop(loop_);
  }

  // ---- the end

  void fail(std::string why) {
    failure_ = std::move(why);
    status_ = 1;
    uv_stop(loop_);
  }

  void stop() {
    if (stopping_) return kill_workers();  // asked twice: hurry
    stopping_ = true;
    common::sd_notify("STOPPING=1");
    log::info("relayd stops: no new devices; those that are up are told and closed",
              {{"shutdown_timeout_ms", config_.shutdown_timeout.count()}});
    for (auto& slot : slots_) slot->stop();
    kill_.start(config_.shutdown_timeout + kBeyondShutdown);
    on_gone();
  }

  void kill_workers() {
    for (auto& slot : slots_) slot->kill();
  }

  uv_loop_t* loop_;
  Plan plan_;
  Config config_;
  tls::CertificateChain certificate_;
  common::Timer kill_;
  std::vector<std::unique_ptr<WorkerSlot>> slots_;
  common::UvPtr<uv_signal_t> signals_[std::size(kSignals)];
  std::unique_ptr<ipc::Client> keyd_;
  std::optional<Resolver> remote_, local_;
  bool listener_key_checked_ = false, started_ = false, ready_ = false, stopping_ = false;
  int status_ = 0;
  std::string failure_;
};

}  // namespace

int run_supervisor(const std::string& config_file, const Overrides& overrides) {
  ::signal(SIGPIPE, SIG_IGN);
  Plan plan;
  plan.config_name = config_file;
  plan.config_text = common::read_file(config_file, kMaxConfigFile);
  plan.overrides = overrides;
  const Config config = plan.config();
  log::open("relayd", config.log_level);
  plan.listener_certificate = read_pem(config_file, "listener.certfile", config.listener.certfile);
  plan.listener_trusted = read_pem(config_file, "listener.cacertfile", config.listener.cacertfile);
  plan.listener_revoked = read_pem(config_file, "listener.crlfile", config.listener.crlfile);
  plan.remote_trusted = read_pem(config_file, "remote.cacertfile", config.remote.cacertfile);
  common::harden_process();

  uv_loop_t loop;
  uv_loop_init(&loop);
  int status = 0;
  std::string failure;
  {
    Supervisor supervisor(&loop, std::move(plan));
    uv_run(&loop, UV_RUN_DEFAULT);
    status = supervisor.status();
    failure = supervisor.failure();
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
  if (!failure.empty()) throw ConfigError(failure);
  return status;
}

}  // namespace relayd
