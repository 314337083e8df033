#include "relayd/supervisor/worker_slot.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "common/log.h"

namespace relayd {

namespace log = common::log;

WorkerSlot::WorkerSlot(uv_loop_t* loop, int number, common::Fd listener, Owner& owner)
    : loop_(loop), number_(number), listener_(std::move(listener)), owner_(owner), restart_(loop, this, [](void* self) {
        static_cast<WorkerSlot*>(self)->start();
      }) {}

WorkerSlot::~WorkerSlot() { kill(); }

void WorkerSlot::start() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair for a worker");
  control_.reset(pair[0]);
  const common::Fd theirs(pair[1]);
  const common::Fd plan = owner_.plan_for(number_).to_memfd();

  scoreboard_ = std::make_unique<Scoreboard>();

  uv_stdio_container_t stdio[kScoreboardFd + 1];
  const int inherited[] = {-1,           STDOUT_FILENO,    STDERR_FILENO, plan.get(), listener_.get(),
                           theirs.get(), scoreboard_->fd()};
  static_assert(std::size(inherited) == kScoreboardFd + 1);
  for (size_t i = 0; i < std::size(inherited); i++) {
    stdio[i].flags = inherited[i] < 0 ? UV_IGNORE : UV_INHERIT_FD;
    stdio[i].data.fd = inherited[i];
  }
  char program[] = "relayd", role[] = "worker";
  char* arguments[] = {program, role, nullptr};
  uv_process_options_t options{};
  options.file = "/proc/self/exe";
  options.args = arguments;
  options.stdio_count = std::size(stdio);
  options.stdio = stdio;
  options.exit_cb = [](uv_process_t* process, int64_t status, int signal) {
    static_cast<WorkerSlot*>(process->data)->on_exit(status, signal);
  };
  process_.reset(new uv_process_t);
  process_->data = this;
  if (const int status = uv_spawn(loop_, process_.get(), &options); status != 0) {
    process_.reset();
    log::error("a worker can't be started", {{"worker", number_}, {"cause", uv_strerror(status)}});
    return restart_.start(policy_.delay_after_death(false));
  }
  log::info("worker started", {{"worker", number_}, {"pid", process_->pid}});
  control_poll_ = std::make_unique<common::Poll>(loop_, control_.get(), this,
                                                 [](void* self, int) { static_cast<WorkerSlot*>(self)->on_control(); });
  control_poll_->watch(UV_READABLE);
}

void WorkerSlot::on_control() {
  char byte = 0;
  const ssize_t got = ::recv(control_.get(), &byte, 1, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return control_poll_.reset();  // its exit is reported by itself
  if (byte != kReady || serving_) return;      // a worker is believed nothing else
  serving_ = true;
  owner_.on_serving();
}

void WorkerSlot::send(const Order& order) {
  const std::string text = order.encode();
  if (!process_ || ::send(control_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return;
  log::warning("a worker could not be told", {{"worker", number_}, {"cause", strerror(errno)}});
}

void WorkerSlot::stop() {
  stopping_ = true;
  restart_.stop();
  send({Order::What::drain, {}});
}

void WorkerSlot::kill() {
  if (process_) uv_process_kill(process_.get(), SIGKILL);
}

void WorkerSlot::on_exit(int64_t status, int signal) {
  const int pid = process_->pid;
  process_.reset();
  control_poll_.reset();
  control_.reset();
  const bool had_served = serving_;
  serving_ = false;
  if (stopping_) return owner_.on_gone();
  const auto delay = policy_.delay_after_death(had_served);
  const std::string how =
      signal != 0 ? std::string("signal ") + strsignal(signal) : "exit status " + std::to_string(status);
  log::error("worker died", {{"worker", number_}, {"pid", pid}, {"cause", how}, {"restart_in_ms", delay.count()}});
  restart_.start(delay);
}

}  // namespace relayd
