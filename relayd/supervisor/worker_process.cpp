#include "relayd/supervisor/worker_process.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "common/datagram.h"
#include "common/log.h"

namespace relayd {
namespace {

[[noreturn]] void fail(int error, const char* what) { throw std::system_error(error, std::generic_category(), what); }

}  // namespace

std::string WorkerProcess::Death::cause() const {
  return last_words.empty() ? how.text() : how.text() + ": " + last_words;
}

WorkerProcess::WorkerProcess(uv_loop_t* loop, const common::Program& program, const Plan& plan, int channel,
                             std::span<const int> given, Owner& owner)
    : worker_(plan.worker), owner_(owner) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
    fail(errno, "socketpair for a worker");
  control_.reset(pair[0]);
  const common::Fd theirs(pair[1]), memfd = plan.to_memfd();
  std::vector<int> inherited{memfd.get(), theirs.get(), scoreboard_.fd(), channel};
  static_assert(kPlanFd == 3 && kControlFd == 4 && kScoreboardFd == 5 && kChannelFd == 6 && kFirstListenerFd == 7);
  inherited.insert(inherited.end(), given.begin(), given.end());
  process_.emplace(loop, program, kWorkerName, inherited, this, common::call<&WorkerProcess::on_exit>);
  control_poll_ = std::make_unique<common::Poll>(loop, control_.get(), this, common::call<&WorkerProcess::on_control>);
  control_poll_->watch(UV_READABLE);
}

WorkerProcess::~WorkerProcess() { control_poll_.reset(); }

void WorkerProcess::allow(size_t listener, uint64_t connections) {
  scoreboard_->listeners.at(listener).max_connections.store(connections, std::memory_order_relaxed);
  most_allowed_.at(listener) = std::max(most_allowed_.at(listener), connections);
}

uint64_t WorkerProcess::connections(size_t listener) const {
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);  // which it inherited
  return std::min({scoreboard_->listeners.at(listener).connections.load(std::memory_order_relaxed),
                   most_allowed_.at(listener), static_cast<uint64_t>(descriptors.rlim_cur)});
}

void WorkerProcess::on_control(int) {
  char message[1 + kMaxLastWords];
  const ssize_t got = ::recv(control_.get(), message, sizeof message, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return control_poll_.reset();  // Child reports the exit
  if (message[0] == kLastWords && last_words_.empty()) last_words_.assign(message + 1, static_cast<size_t>(got) - 1);
  if (message[0] == kEnded && got == 1 + static_cast<ssize_t>(sizeof(Ended))) {
    Ended ended;
    memcpy(&ended, message + 1, sizeof ended);
    if (ended.request <= last_ended_) return;  // it would count as another worker's answer
    last_ended_ = ended.request;
    return owner_.on_ended(ended);
  }
  if (message[0] == kTaken && got == 1 + static_cast<ssize_t>(sizeof(Taken)) && may_take()) {
    Taken taken;
    memcpy(&taken, message + 1, sizeof taken);
    return owner_.on_taken(taken);
  }
  if (message[0] == kClosed) return owner_.on_closed();
  if (message[0] != kReady || serving_) return;
  serving_ = true;
  owner_.on_serving();
}

// A captured worker must not fill the other workers' sockets.
bool WorkerProcess::may_take() {
  const auto now = std::chrono::steady_clock::now();
  if (now - taking_since_ >= std::chrono::seconds(1)) taking_since_ = now, taken_ = 0;
  return ++taken_ <= kMostTaken;
}

bool WorkerProcess::send(const Order& order, int attached) {
  if (common::send_datagram(control_.get(), order.encode(), attached)) return true;
  report_unsent();
  return false;
}

bool WorkerProcess::tell(const Order& order) {
  if (common::send_datagram(control_.get(), order.encode()) || common::peer_has_ended(errno)) return true;
  report_unsent();
  return false;
}

void WorkerProcess::report_unsent() const {
  common::log::warning("order_unsent", "could not send an order to a worker",
                       {{"worker", worker_}, {"pid", pid()}, {"cause", strerror(errno)}});
}

void WorkerProcess::on_exit(const Child::Death& death) {
  // Its last words may still be in the socket.
  while (control_poll_ && last_words_.empty()) {
    const auto before = control_poll_.get();
    char waiting;
    if (::recv(control_.get(), &waiting, 1, MSG_PEEK | MSG_DONTWAIT) <= 0 || before != control_poll_.get()) break;
    on_control(UV_READABLE);
  }
  owner_.on_death({death, last_words_});
}

}  // namespace relayd
