#include "relayd/supervisor/monitor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "common/not_yet.h"
#include "relayd/handover/monitor_question.h"
#include "relayd/socket_address.h"

extern char** environ;

namespace relayd {
namespace {

namespace log = common::log;

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

constexpr int kBacklog = 64;  // clients that wait for one of the monitor's 16 threads, or for a new monitor

common::Fd listen_on(const Config::Endpoint& bind) {
  const std::string name = bind.host + ":" + std::to_string(bind.port);
  const auto address = SocketAddress::parse(bind.host, bind.port);
  if (!address) throw common::ConfigError("metrics.bind: \"" + bind.host + "\" is no numeric IPv4 or IPv6 address");
  common::Fd fd(::socket(address->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  const int on = 1;
  if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd.get(), address->get(), address->size) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    const int error = errno;
    const std::string text = "metrics.bind: can't listen on " + name + ": " + strerror(error) +
                             (error == EADDRINUSE ? "; find who does with \"ss -ltnp\", or choose another port" : "");
    if (common::passes(error)) throw common::NotYet(text);
    throw common::ConfigError(text);
  }
  return fd;
}

uv_stdio_container_t passed(int fd) {
  uv_stdio_container_t container{};
  container.flags = fd < 0 ? UV_IGNORE : UV_INHERIT_FD;
  container.data.fd = fd;
  return container;
}

// Executes `program` by the descriptor that it holds, with these descriptors and an empty environment.
void spawn(uv_loop_t* loop, uv_process_t* process, const common::Program& program, uv_exit_cb on_exit, int listening,
           int socket) {
  uv_stdio_container_t stdio[] = {passed(-1), passed(STDOUT_FILENO), passed(STDERR_FILENO), passed(listening),
                                  passed(socket)};
  // Above the numbers that the child gives to what it inherits, which would take its place before it is executed.
  const common::Fd file(fcntl(program.file(), F_DUPFD_CLOEXEC, static_cast<int>(std::size(stdio))));
  if (!file) fail(errno, "starting " + program.path());
  const std::string by_descriptor = "/proc/self/fd/" + std::to_string(file.get());
  char* arguments[] = {const_cast<char*>(kMonitorName), nullptr};
  [[maybe_unused]] char* no_environment[] = {nullptr};
  uv_process_options_t options{};
  options.file = by_descriptor.c_str();
  options.args = arguments;
#if defined(MQTT_RELAY_SANITIZED)  // its options
  options.env = environ;
#else
  options.env = no_environment;
#endif
  options.stdio_count = static_cast<int>(std::size(stdio));
  options.stdio = stdio;
  options.exit_cb = on_exit;
  if (const int status = uv_spawn(loop, process, &options); status != 0) fail(-status, "starting " + program.path());
}

// A datagram with a descriptor attached. False: there is no room for it, or nobody to take it.
bool send(int socket, uint32_t number, int attached) {
  iovec part{&number, sizeof number};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof attached)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof attached);
  memcpy(CMSG_DATA(header), &attached, sizeof attached);
  return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

}  // namespace

Monitor::Monitor(uv_loop_t* loop, const Config::Endpoint& bind, log::Level log_level, void* owner, Look look)
    : loop_(loop),
      log_level_(log_level),
      owner_(owner),
      look_(look),
      program_(kMonitorProgram),
      listening_(listen_on(bind)),
      again_(loop, this, [](void* self) { static_cast<Monitor*>(self)->start_again(); }) {
  start();
}

Monitor::~Monitor() {
  poll_.reset();
  if (process_ && uv_is_active(reinterpret_cast<uv_handle_t*>(process_.get())))
    uv_process_kill(process_.get(), SIGKILL);
}

std::string Monitor::text() const { return SocketAddress::bound_to(listening_.get()).text(); }

MonitorStatus Monitor::status() const {
  return {process_ ? process_->pid : 0, process_ ? "serving" : "waiting", restarts_};
}

void Monitor::start() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
    fail(errno, "socketpair for the monitor");
  socket_.reset(pair[0]);
  const common::Fd theirs(pair[1]);
  const MonitorSettings settings{static_cast<int32_t>(log_level_)};
  if (::send(socket_.get(), &settings, sizeof settings, MSG_NOSIGNAL) != sizeof settings)
    fail(errno, "settings for the monitor");
  common::UvPtr<uv_process_t> process(new uv_process_t);
  process->data = this;
  const uv_exit_cb ended_callback = [](uv_process_t* ended, int64_t status, int signal) {
    static_cast<Monitor*>(ended->data)->on_exit(status, signal);
  };
  spawn(loop_, process.get(), program_, ended_callback, listening_.get(), theirs.get());
  process_ = std::move(process);
  misbehaviour_.clear();
  questions_ = 0;
  poll_ = std::make_unique<common::Poll>(loop_, socket_.get(), this,
                                         [](void* self, int) { static_cast<Monitor*>(self)->on_message(); });
  poll_->watch(UV_READABLE);
  log::info("monitor started", {{"pid", process_->pid}, {"bind", text()}});
}

void Monitor::start_again() {
  restarts_++;
  try {
    start();
  } catch (const std::exception& error) {  // no memory or no process now
    died(error.what());
  }
}

void Monitor::on_message() {
  char message[sizeof(MonitorQuestion) + 1];
  const ssize_t got = ::recv(socket_.get(), message, sizeof message, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return poll_.reset();  // its exit is reported by itself
  MonitorQuestion question;
  if (got != sizeof question) return end_process("it sent something else than a question");
  if (asks_too_often()) return end_process("it asked too often");
  memcpy(&question, message, sizeof question);
  answer(question.number);
}

bool Monitor::asks_too_often() {
  const auto now = std::chrono::steady_clock::now();
  if (now - second_ >= std::chrono::seconds(1)) second_ = now, questions_ = 0;
  return ++questions_ > kMostQuestionsPerSecond;
}

// An answer that can't be made or sent now is left out: the monitor has a deadline, and says 503.
void Monitor::answer(uint32_t number) {
  try {
    const common::Fd text = common::sealed(to_json(look_(owner_)));
    if (send(socket_.get(), number, text.get())) return;
    log::debug("the monitor did not take an answer", {{"cause", strerror(errno)}});
  } catch (const std::exception& error) {
    log::debug("the monitor's question could not be answered", {{"cause", error.what()}});
  }
}

void Monitor::end_process(const char* why) {
  misbehaviour_ = why;
  poll_.reset();
  uv_process_kill(process_.get(), SIGKILL);
}

void Monitor::on_exit(int64_t status, int signal) {
  poll_.reset();
  process_.reset();
  socket_.reset();
  died(!misbehaviour_.empty() ? "ended by relayd, as " + misbehaviour_
       : signal != 0          ? std::string("signal ") + strsignal(signal)
                              : "exit status " + std::to_string(status));
}

void Monitor::died(const std::string& cause) {
  const auto now = std::chrono::steady_clock::now();
  const bool series = restarts_ > 0 && now - last_death_ < pause_ + kCalm;
  pause_ = !series ? std::chrono::seconds(0) : std::clamp(pause_ * 2, kFirst, kLast);
  last_death_ = now;
  // Once for a series of deaths; the operator's status counts them.
  if (!series)
    log::warning("the monitor died and is started again; /metrics waits meanwhile, devices do not", {{"cause", cause}});
  again_.start(pause_);
}

}  // namespace relayd
