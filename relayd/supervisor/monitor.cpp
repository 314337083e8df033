#include "relayd/supervisor/monitor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "common/datagram.h"
#include "common/not_yet.h"
#include "relayd/handover/monitor_question.h"
#include "relayd/handover/socket_address.h"

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
  if (!address) throw common::ConfigError("metrics.bind: \"" + bind.host + "\" is not a numeric IPv4 or IPv6 address");
  common::Fd fd(::socket(address->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  const int on = 1;
  if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd.get(), address->get(), address->size) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    const int error = errno;
    const std::string text =
        "metrics.bind: can't listen on " + name + ": " + strerror(error) +
        (error == EADDRINUSE ? "; another program listens there; find it with \"ss -ltnp\", or choose another port"
                             : "");
    if (common::passes(error)) throw common::NotYet(text);
    throw common::ConfigError(text);
  }
  return fd;
}

}  // namespace

Monitor::Monitor(uv_loop_t* loop, const common::Program& program, const Config::Endpoint& bind,
                 const MonitorSettings& settings, void* owner, Look look)
    : loop_(loop),
      settings_(settings),
      owner_(owner),
      look_(look),
      program_(program),
      listening_(listen_on(bind)),
      again_(loop, this, common::call<&Monitor::start_again>) {
  start();
}

Monitor::~Monitor() { poll_.reset(); }

std::string Monitor::text() const { return SocketAddress::bound_to(listening_.get()).text(); }

MonitorStatus Monitor::status() const {
  return {process_ ? process_->pid() : 0, process_ ? "serving" : "waiting", restarts_};
}

void Monitor::start() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
    fail(errno, "socketpair for the monitor");
  socket_.reset(pair[0]);
  const common::Fd theirs(pair[1]);
  if (::send(socket_.get(), &settings_, sizeof settings_, MSG_NOSIGNAL) != sizeof settings_)
    fail(errno, "settings for the monitor");
  const int inherited[] = {listening_.get(), theirs.get()};
  process_.emplace(loop_, program_, kMonitorName, inherited, this, common::call<&Monitor::on_exit>);
  misbehaviour_.clear();
  questions_ = 0;
  poll_ = std::make_unique<common::Poll>(loop_, socket_.get(), this, common::call<&Monitor::on_message>);
  poll_->watch(UV_READABLE);
  log::info("monitor_started", "monitor started", {{"pid", process_->pid()}, {"bind", text()}});
}

void Monitor::start_again() {
  restarts_++;
  try {
    start();
  } catch (const std::exception& error) {  // no memory or no process now
    died(error.what());
  }
}

void Monitor::on_message(int) {
  char message[sizeof(MonitorQuestion) + 1];
  const ssize_t got = ::recv(socket_.get(), message, sizeof message, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return poll_.reset();  // Child reports the exit
  MonitorQuestion question;
  if (got != sizeof question) return end_process("it sent something other than a question");
  if (asks_too_often()) return end_process("it asked too often");
  memcpy(&question, message, sizeof question);
  answer(question.number);
}

bool Monitor::asks_too_often() {
  const auto now = std::chrono::steady_clock::now();
  if (now - second_ >= std::chrono::seconds(1)) second_ = now, questions_ = 0;
  return ++questions_ > kMostQuestionsPerSecond;
}

// If an answer can't be made or sent now, none is sent: the monitor has a deadline and responds with 503.
void Monitor::answer(uint32_t number) {
  try {
    const common::Fd text = common::sealed(to_json(look_(owner_)));
    const std::string_view bytes(reinterpret_cast<const char*>(&number), sizeof number);
    if (common::send_datagram(socket_.get(), bytes, text.get())) return;
    log::debug("monitor_unanswered", "the monitor did not take an answer", {{"cause", strerror(errno)}});
  } catch (const std::exception& error) {
    log::debug("monitor_unanswered", "the monitor's question could not be answered", {{"cause", error.what()}});
  }
}

void Monitor::end_process(const char* why) {
  misbehaviour_ = why;
  poll_.reset();
  process_->kill(SIGKILL);
}

void Monitor::on_exit(const Child::Death& death) {
  const std::string cause = misbehaviour_.empty() ? death.text() : "killed by relayd because " + misbehaviour_;
  poll_.reset();
  process_.reset();
  socket_.reset();
  died(cause);
}

void Monitor::died(const std::string& cause) {
  const auto now = std::chrono::steady_clock::now();
  const bool series = restarts_ > 0 && now - last_death_ < pause_ + kCalm;
  pause_ = !series ? std::chrono::seconds(0) : std::clamp(pause_ * 2, kFirst, kLast);
  last_death_ = now;
  // Logged once per series of deaths; the operator's status counts them.
  if (!series)
    log::warning("monitor_died",
                 "the monitor died and is restarted; /metrics waits meanwhile, devices are not affected",
                 {{"cause", cause}});
  again_.start(pause_);
}

}  // namespace relayd
