#include "relayd/worker/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <unordered_map>

#include "common/hardening.h"
#include "common/log.h"
#include "common/seccomp.h"
#include "relayd/session/session.h"
#include "relayd/worker/acceptor.h"
#include "relayd/worker/plan.h"

namespace relayd {
namespace {

namespace log = common::log;
using common::Milliseconds;

class Worker {
 public:
  Worker(uv_loop_t* loop, Plan plan)
      : loop_(loop),
        plan_(std::move(plan)),
        config_(plan_.config()),
        scoreboard_(kScoreboardFd),
        listener_context_(plan_.server_options(config_)),
        remote_context_(plan_.client_options(config_)),
        keyd_(loop, {config_.keyd_socket, static_cast<uint16_t>(plan_.worker), config_.sign_timeout}),
        runtime_(loop, &keyd_, config_.listener.high_watermark),
        services_{plan_.worker,
                  runtime_,
                  keyd_,
                  config_,
                  *scoreboard_,
                  listener_context_,
                  remote_context_,
                  remote_addresses_,
                  local_addresses_,
                  this,
                  [](void* self, uint64_t id) { static_cast<Worker*>(self)->retire(id); }},
        control_(kControlFd),
        bury_(loop, this, [](void* self) { static_cast<Worker*>(self)->bury(); }),
        shutdown_(loop, this, [](void* self) { uv_stop(static_cast<Worker*>(self)->loop_); }) {
    know(plan_.addresses);
    std::vector<common::Fd> listeners;
    listeners.emplace_back(kListenerFd);
    acceptor_ = std::make_unique<Acceptor>(loop, std::move(listeners), acceptor_options(), *scoreboard_, this,
                                           [](void* self, common::Fd socket, const SocketAddress& device) {
                                             static_cast<Worker*>(self)->open_session(std::move(socket), device);
                                           });
    control_poll_ = std::make_unique<common::Poll>(loop, control_.get(), this,
                                                   [](void* self, int) { static_cast<Worker*>(self)->on_control(); });
    control_poll_->watch(UV_READABLE);
  }

  void announce() {
    if (::send(control_.get(), &kReady, 1, MSG_NOSIGNAL) != 1)
      throw std::system_error(errno, std::generic_category(), "the supervisor can't be told that this worker is ready");
  }

 private:
  Acceptor::Options acceptor_options() const {
    common::Rate rate = config_.listener.max_conn_rate;
    if (rate.count > 0) rate.count = share_of(rate.count, plan_.worker, config_.workers);
    return {plan_.worker, rate, config_.worker_max_memory};
  }

  void open_session(common::Fd socket, const SocketAddress& device) {
    set_tcp_options(socket.get());
    const uint64_t id = ++last_session_;
    auto [it, inserted] = sessions_.emplace(id, std::make_unique<Session>(services_, id, std::move(socket), device));
    it->second->start();
  }

  // A session ends inside its own callbacks: it is destroyed after them.
  void retire(uint64_t id) {
    retired_.push_back(id);
    if (!bury_.running()) bury_.start(Milliseconds(0));
  }

  void bury() {
    for (const uint64_t id : retired_) sessions_.erase(id);
    retired_.clear();
    if (draining_ && sessions_.empty()) uv_stop(loop_);
  }

  void on_control() {
    char text[kMaxOrder];
    const ssize_t got = ::recv(control_.get(), text, sizeof text, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      log::error("the supervisor is gone; this worker leaves", {{"worker", plan_.worker}});
      return uv_stop(loop_);
    }
    const Order order = Order::decode({text, static_cast<size_t>(got)});
    if (order.what == Order::What::drain) drain();
    else know(order.addresses);
  }

  void know(const Addresses& addresses) {
    remote_addresses_.replace(addresses.remote);
    local_addresses_.replace(addresses.local);
  }

  void drain() {
    if (draining_) return;
    draining_ = true;
    acceptor_->stop();
    for (auto& [id, session] : sessions_) session->drain();
    shutdown_.start(config_.shutdown_timeout);
    bury_.start(Milliseconds(0));
  }

  uv_loop_t* loop_;
  Plan plan_;
  Config config_;
  Scoreboard scoreboard_;
  tls::ServerContext listener_context_;
  tls::ClientContext remote_context_;
  ipc::Client keyd_;
  tls::Runtime runtime_;
  AddressBook remote_addresses_, local_addresses_;
  SessionServices services_;
  std::unique_ptr<Acceptor> acceptor_;
  common::Fd control_;
  std::unique_ptr<common::Poll> control_poll_;
  common::Timer bury_, shutdown_;
  std::unordered_map<uint64_t, std::unique_ptr<Session>> sessions_;
  std::vector<uint64_t> retired_;
  uint64_t last_session_ = 0;
  bool draining_ = false;
};

// Says what protects this process, or by name what does not.
void enter_sandbox(int worker) {
  common::harden_process();
#if defined(MQTT_RELAY_SANITIZED)
  // LeakSanitizer, at the end of the process, reads /proc and traces its threads.
  const common::Fd proc(::open("/proc", O_PATH | O_CLOEXEC));
  const common::FileRule rules[] = {{proc.get(), common::FileRule::read}};
  const std::string files = common::forbid_files(rules), calls;
#else
  const std::string files = common::forbid_files(), calls = common::forbid_system_calls();
#endif
  for (const std::string& lacking : {files, calls})
    if (!lacking.empty())
      log::warning("this worker's sandbox is weaker than it should be", {{"worker", worker}, {"cause", lacking}});
  if (!files.empty() || !calls.empty()) return;
  const common::Fd root(::open("/", O_RDONLY | O_CLOEXEC));
  if (root) throw std::runtime_error("Landlock is in force, but this worker could open \"/\"");
  log::info("worker is sandboxed: it can open no file, execute nothing, is not dumpable and gains no privileges",
            {{"worker", worker}, {"open(\"/\")", strerror(errno)}});
}

}  // namespace

int run_worker() {
  log::open("relayd-worker", log::Level::info);
  uv_loop_t loop;
  uv_loop_init(&loop);
  int status = 0;
  try {
    // A worker leaves on its supervisor's order or death only: not when a terminal or a service manager signals the
    // whole group. The control socket ends with the supervisor as well, should it have died before this line.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
    for (const int fd : {kPlanFd, kListenerFd, kControlFd, kScoreboardFd}) fcntl(fd, F_SETFD, FD_CLOEXEC);
    Plan plan = Plan::from_fd(kPlanFd);
    close(kPlanFd);
    log::open("relayd-worker", plan.config().log_level);
    const int number = plan.worker;
    Worker worker(&loop, std::move(plan));
    enter_sandbox(number);
    worker.announce();
    uv_run(&loop, UV_RUN_DEFAULT);
  } catch (const std::exception& error) {
    log::error(error.what());
    status = 1;
  }
  uv_run(&loop, UV_RUN_DEFAULT);  // closes what the worker's handles were
  uv_loop_close(&loop);
  return status;
}

}  // namespace relayd
