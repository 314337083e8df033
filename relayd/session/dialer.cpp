#include "relayd/session/dialer.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace relayd {
namespace {

constexpr size_t kMaxCauses = 4;  // reported in words; further ones are only counted

}  // namespace

void set_tcp_options(int socket) {
  // A peer that vanished without a FIN is detected after 60 s + 4 * 15 s of silence (tcp(7)). The remote broker handles
  // MQTT's keep alive. These calls can't fail on a TCP socket.
  const int on = 1, idle = 60, interval = 15, probes = 4;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

struct Dialer::Attempt {
  Dialer& dialer;
  SocketAddress address;
  common::Fd socket;
  std::unique_ptr<common::Poll> poll = {};  // declared after the socket, so destroyed before it
  void ready(int) { dialer.on_ready(*this); }
};

Dialer::Dialer(uv_loop_t* loop, AddressBook& book, std::chrono::milliseconds budget, void* owner, Done done)
    : loop_(loop),
      book_(book),
      until_(uv_now(loop) + static_cast<uint64_t>(budget.count())),
      to_try_(book.order(uv_now(loop))),
      by_merit_(to_try_),
      owner_(owner),
      done_(done),
      head_start_(loop, this, common::call<&Dialer::next>),
      deadline_(loop, this, common::call<&Dialer::on_deadline>) {
  deadline_.start(budget);
  next();
}

Dialer::~Dialer() = default;

// connect(2). On a machine without IPv6, the broker's IPv6 addresses fail with EADDRNOTAVAIL (ip(7)). That must not
// stop the dialer from trying the other addresses.
Dialer::Fault Dialer::fault_of(int error) {
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return Fault::machine;
    case EADDRNOTAVAIL:
    case EADDRINUSE:
    case EAGAIN: return Fault::ports;
    default: return Fault::address;
  }
}

std::chrono::milliseconds Dialer::left() const {
  return std::chrono::milliseconds(until_ - std::min(until_, uv_now(loop_)));
}

std::chrono::milliseconds Dialer::share(Last last) const {
  const size_t tries = std::max(to_try_.size(), static_cast<size_t>(last == Last::again));
  const size_t more = std::min(tries, kMostConnections - std::min(connections_, kMostConnections));
  return left() / (more + 1);
}

// Starts the next attempt. If no address is left and no attempt is running, fires the deadline from the loop, not here.
void Dialer::next() {
  while (!to_try_.empty() && !failure_.busy) {
    const SocketAddress address = to_try_.front();
    to_try_.erase(to_try_.begin());
    if (begin(address)) return head_start_.start(kHeadStart);
  }
  head_start_.stop();
  if (attempts_.empty()) deadline_.start(std::chrono::milliseconds(0));
}

bool Dialer::begin(const SocketAddress& address) {
  common::Fd socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (socket) set_tcp_options(socket.get());
  if (!socket || (::connect(socket.get(), address.get(), address.size) != 0 && errno != EINPROGRESS)) {
    const int error = errno;
    failed_by(error, address, fault_of(error));
    return false;
  }
  auto attempt = std::make_unique<Attempt>(Attempt{*this, address, std::move(socket)});
  attempt->poll =
      std::make_unique<common::Poll>(loop_, attempt->socket.get(), attempt.get(), common::call<&Attempt::ready>);
  attempt->poll->watch(UV_WRITABLE);
  attempts_.push_back(std::move(attempt));
  return true;
}

void Dialer::on_ready(Attempt& attempt) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(attempt.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  const auto it = std::ranges::find(attempts_, &attempt, &std::unique_ptr<Attempt>::get);
  const auto mine = std::move(*it);
  attempts_.erase(it);
  if (error != 0) {
    failed_by(error, mine->address, Fault::address);
    return next();
  }
  // An attempt that lost despite its head start is demoted; a younger one may be as good. All of them are tried again
  // if this connection proves useless.
  for (size_t i = 0; i < attempts_.size(); i++) {
    const SocketAddress& other = attempts_[i]->address;
    if (std::ranges::find(by_merit_, other) < std::ranges::find(by_merit_, mine->address))
      book_.demote(other, uv_now(loop_));
    to_try_.insert(to_try_.begin() + static_cast<std::ptrdiff_t>(i), other);
  }
  connected_ = mine->address;
  connections_++;
  mine->poll.reset();
  attempts_.clear();
  head_start_.stop();
  deadline_.stop();
  auto socket = std::move(mine->socket);
  done_(owner_, std::move(socket), failure_);  // may destroy this dialer
}

void Dialer::try_next(std::string_view cause, Last last) {
  failed(connected_, cause);
  if (to_try_.empty() && last == Last::again) to_try_.push_back(connected_);
  if (connections_ >= kMostConnections || left().count() == 0) to_try_.clear();
  deadline_.start(left());
  next();
}

void Dialer::failed(const SocketAddress& address, std::string_view cause, Fault fault) {
  failure_.busy |= fault == Fault::machine;
  ports_failed_ |= fault == Fault::ports;
  address_failed_ |= fault == Fault::address;
  if (fault == Fault::address) book_.demote(address, uv_now(loop_));
  if (++causes_ > kMaxCauses) {
    omitted_++;
    return;
  }
  if (!failure_.text.empty()) failure_.text += "; ";
  failure_.text.append(address.text()).append(": ").append(cause);
}

void Dialer::failed_by(int error, const SocketAddress& address, Fault fault) {
  failure_.causes.refused |= error == ECONNREFUSED;
  failure_.causes.no_route |= error == EHOSTUNREACH || error == ENETUNREACH;
  failed(address, strerror(error), fault);
}

void Dialer::on_deadline() {
  failure_.causes.silent |= !attempts_.empty();
  for (const auto& attempt : attempts_) failed(attempt->address, "no answer within connect_timeout");
  attempts_.clear();
  head_start_.stop();
  give_up();
}

void Dialer::give_up() {
  Failure failure = std::move(failure_);  // the owner may destroy this dialer
  failure.busy |= ports_failed_ && !address_failed_;
  if (causes_ == 0) failure.text = "no address is known";
  if (omitted_ > 0) failure.text += "; and " + std::to_string(omitted_) + " more";
  done_(owner_, common::Fd(), failure);
}

}  // namespace relayd
