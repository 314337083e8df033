#include "relayd/worker/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "common/log.h"
#include "relayd/session/session.h"
#include "relayd/worker/plan.h"
#include "relayd/worker/sandbox.h"

namespace relayd {
namespace {

namespace log = common::log;
using common::Milliseconds;

constexpr int kAcceptsPerWakeup = 64;      // then the established sessions have their turn
constexpr Milliseconds kAcceptPause{100};  // after accept(2) failed for want of descriptors or memory

constexpr Milliseconds kBeat{1000};

std::vector<common::Fd> inherited_listeners(int count) {
  std::vector<common::Fd> listeners;
  for (int i = 0; i < count; i++) {
    listeners.emplace_back(kFirstListenerFd + i);
    fcntl(kFirstListenerFd + i, F_SETFD, FD_CLOEXEC);
  }
  return listeners;
}

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
        runtime_(loop, &keyd_),
        services_{plan_.worker,
                  runtime_,
                  keyd_,
                  config_,
                  *scoreboard_,
                  listener_context_,
                  remote_context_,
                  plan_.addresses.remote,
                  plan_.addresses.local,
                  this,
                  [](void* self, uint64_t id) { static_cast<Worker*>(self)->retire(id); }},
        listeners_(inherited_listeners(plan_.listeners)),
        control_(kControlFd),
        memory_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)),
        bury_(loop, this, [](void* self) { static_cast<Worker*>(self)->bury(); }),
        beat_(loop, this, [](void* self) { static_cast<Worker*>(self)->beat(); }),
        accept_again_(loop, this, [](void* self) { static_cast<Worker*>(self)->watch_listeners(); }),
        shutdown_(loop, this, [](void* self) { uv_stop(static_cast<Worker*>(self)->loop_); }) {
    watch_listeners();
    beat();
    control_poll_ = std::make_unique<common::Poll>(loop, control_.get(), this,
                                                   [](void* self, int) { static_cast<Worker*>(self)->on_control(); });
    control_poll_->watch(UV_READABLE);
  }

  void announce() {
    if (::send(control_.get(), &kReady, 1, MSG_NOSIGNAL) != 1)
      throw std::system_error(errno, std::generic_category(), "the supervisor can't be told that this worker is ready");
  }

 private:
  void watch_listeners() {
    for (const auto& listener : listeners_) {
      listener_polls_.push_back(std::make_unique<common::Poll>(
          loop_, listener.get(), this, [](void* self, int) { static_cast<Worker*>(self)->accept(); }));
      listener_polls_.back()->watch(UV_READABLE);
    }
  }

  void accept() {
    for (const auto& listener : listeners_) accept_from(listener);
  }

  void accept_from(const common::Fd& listener) {
    for (int i = 0; i < kAcceptsPerWakeup; i++) {
      SocketAddress device;
      device.size = sizeof device.storage;
      common::Fd socket(::accept4(listener.get(), reinterpret_cast<sockaddr*>(&device.storage), &device.size,
                                  SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (socket) {
        open_session(std::move(socket), device);
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        // The connection stays in the kernel's queue, and so would our readiness: look away for a while.
        log::warning("no connection can be accepted", {{"cause", strerror(errno)}, {"sessions", sessions_.size()}});
        listener_polls_.clear();
        return accept_again_.start(kAcceptPause);
      } else if (errno != ECONNABORTED && errno != EINTR) {
        return;  // EAGAIN: the queue is empty
      }
    }
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
    if (leaving_ && sessions_.empty()) uv_stop(loop_);
  }

  // A sign of life for the supervisor, and what is too dear to measure at each change.
  void beat() {
    beat_.start(std::min(kBeat, config_.worker_watchdog / 4));
    count(scoreboard_->beat);
    char text[128] = {};  // proc(5): pages in all, then resident ones
    if (::pread(memory_.get(), text, sizeof text - 1, 0) <= 0) return;
    if (const char* resident = strchr(text, ' '))
      scoreboard_->memory.store(strtoull(resident, nullptr, 10) * page_size_, std::memory_order_relaxed);
  }

  void on_control() {
    char text[kMaxOrder];
    common::Fd attached;
    const ssize_t got = receive(text, attached);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      log::error("the supervisor is gone; this worker leaves", {{"worker", plan_.worker}});
      return uv_stop(loop_);
    }
    const Order order = Order::decode({text, static_cast<size_t>(got)});
    switch (order.what) {
      case Order::What::addresses: plan_.addresses = order.addresses; return;
      case Order::What::retire: return retire_generation();
      case Order::What::drain: return drain();
      case Order::What::revoke: return;
      case Order::What::disconnect: return;
    }
  }

  ssize_t receive(std::span<char> text, common::Fd& attached) {
    iovec part{text.data(), text.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(control_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const cmsghdr* header = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
      int fd = -1;
      memcpy(&fd, CMSG_DATA(header), sizeof fd);
      attached.reset(fd);
    }
    return got;
  }

  void stop_accepting() {
    accept_again_.stop();
    listener_polls_.clear();
    listeners_.clear();
  }

  // A newer generation accepts now; this one leaves with its last session.
  void retire_generation() {
    leaving_ = true;
    stop_accepting();
    bury_.start(Milliseconds(0));
  }

  void drain() {
    if (draining_) return;
    draining_ = true;
    retire_generation();
    for (auto& [id, session] : sessions_) session->drain();
    shutdown_.start(config_.shutdown_timeout);
  }

  uv_loop_t* loop_;
  Plan plan_;
  Config config_;
  Scoreboard scoreboard_;
  tls::ServerContext listener_context_;
  tls::ClientContext remote_context_;
  ipc::Client keyd_;
  tls::Runtime runtime_;
  SessionServices services_;
  std::vector<common::Fd> listeners_;
  common::Fd control_, memory_;
  const uint64_t page_size_ = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  std::vector<std::unique_ptr<common::Poll>> listener_polls_;
  std::unique_ptr<common::Poll> control_poll_;
  common::Timer bury_, beat_, accept_again_, shutdown_;
  std::unordered_map<uint64_t, std::unique_ptr<Session>> sessions_;
  std::vector<uint64_t> retired_;
  uint64_t last_session_ = 0;
  bool leaving_ = false, draining_ = false;
};

// For the supervisor's log, which tells why this worker is no more.
void say_last_words(std::string words) {
  words.insert(words.begin(), kLastWords);
  words.resize(std::min(words.size(), 1 + kMaxLastWords));
  [[maybe_unused]] const ssize_t sent = ::send(kControlFd, words.data(), words.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

int run_worker() {
  log::open("relayd-worker", log::Level::info);
  uv_loop_t loop;
  uv_loop_init(&loop);
  int status = 0;
  std::optional<Worker> worker;  // its control socket outlives what is thrown
  try {
    // A worker leaves on its supervisor's order or death only: not when a terminal or a service manager signals the
    // whole group. The control socket ends with the supervisor as well, should it have died before this line.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
    for (const int fd : {kPlanFd, kControlFd, kScoreboardFd}) fcntl(fd, F_SETFD, FD_CLOEXEC);
    Plan plan = Plan::from_fd(kPlanFd);
    close(kPlanFd);
    log::open("relayd-worker", plan.config().log_level);
    const int number = plan.worker;
    worker.emplace(&loop, std::move(plan));
    enter_sandbox(number);
    worker->announce();
    uv_run(&loop, UV_RUN_DEFAULT);
  } catch (const std::exception& error) {
    log::error(error.what());
    say_last_words(error.what());
    status = 1;
  }
  worker.reset();
  uv_run(&loop, UV_RUN_DEFAULT);  // closes what the worker's handles were
  uv_loop_close(&loop);
  return status;
}

}  // namespace relayd
