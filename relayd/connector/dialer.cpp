#include "relayd/connector/dialer.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/poll.h"

namespace relayd::connector {

struct Dialer::Attempt {
  Dialer& dialer;
  Route route;
  common::Fd socket;
  std::unique_ptr<common::Poll> poll = {};  // declared after the socket, so destroyed before it; null: it is ready

  Attempt(Dialer& of, const Route& to, common::Fd from)
      : dialer(of), route(to), socket(std::move(from)), quota_(of.means_.quota) {
    quota_.used++;
  }
  ~Attempt() { quota_.used--; }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  void ready(int) { dialer.on_ready(*this); }

 private:
  SocketQuota& quota_;
};

Dialer::Dialer(uv_loop_t* loop, const Means& means, std::vector<Route> to_try, std::chrono::milliseconds budget,
               void* owner, Done done)
    : loop_(loop),
      means_(means),
      to_try_(std::move(to_try)),
      by_merit_(to_try_),
      budget_(budget),
      owner_(owner),
      done_(done),
      head_start_(loop, this, common::call<&Dialer::on_head_start>),
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

// Starts the next attempt. If no address is left and no attempt is running, fires the deadline from the loop, not here.
void Dialer::next() {
  while (!to_try_.empty() && !failure_.has(Fault::machine)) {
    const Route route = to_try_.front();
    to_try_.erase(to_try_.begin());
    if (begin(route)) return head_start_.start(head_start());
  }
  head_start_.stop();
  if (attempts_.empty()) deadline_.start(std::chrono::milliseconds(0));
}

void Dialer::on_head_start() {
  if (!attempts_.empty() && !attempts_.back()->poll) on_ready(*attempts_.back());
  else next();
}

// Of the latest attempt, before the next one.
std::chrono::milliseconds Dialer::head_start() const {
  if (!attempts_.back()->poll) return std::chrono::milliseconds(0);
  const bool other = !to_try_.empty() && to_try_.front().broker != attempts_.back()->route.broker;
  return other ? std::min(kBrokerHeadStart, budget_ / 3) : kHeadStart;
}

bool Dialer::begin(const Route& route) {
  const SocketAddress& address = route.address;
  if (means_.quota.used >= means_.quota.most) {
    failed(route, "this worker has too many connections on the way", Fault::machine);
    return false;
  }
  auto [socket, error, cause] = means_.sources.connect(address);
  if (!socket) {
    note(error);
    failed(route, cause, fault_of(error));
    return false;
  }
  Attempt& begun = *attempts_.emplace_back(std::make_unique<Attempt>(*this, route, std::move(socket)));
  // A connection within this machine is complete, or refused, when connect(2) returns. Watching it would cost eight
  // system calls more.
  pollfd ready{begun.socket.get(), POLLOUT, 0};
  if (::poll(&ready, 1, 0) == 1) return true;
  begun.poll = std::make_unique<common::Poll>(loop_, begun.socket.get(), &begun, common::call<&Attempt::ready>);
  begun.poll->watch(UV_WRITABLE);
  return true;
}

void Dialer::on_ready(Attempt& attempt) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(attempt.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  const auto it = std::ranges::find(attempts_, &attempt, &std::unique_ptr<Attempt>::get);
  auto mine = std::move(*it);
  attempts_.erase(it);
  const Route route = mine->route;
  if (error != 0) {
    note(error);
    failed(route, strerror(error));
    return next();
  }
  // An attempt that lost despite its head start is demoted; a younger one may be as good. All of them are tried again
  // if this connection proves useless.
  for (size_t i = 0; i < attempts_.size(); i++) {
    const Route& other = attempts_[i]->route;
    if (std::ranges::find(by_merit_, other) < std::ranges::find(by_merit_, route))
      means_.book.demote(other, uv_now(loop_));
    to_try_.insert(to_try_.begin() + static_cast<std::ptrdiff_t>(i), other);
  }
  mine->poll.reset();
  Result result{std::move(mine->socket), route, std::move(to_try_), std::move(failure_)};
  mine.reset();  // before the callback, in which the owner and the quota may end
  attempts_.clear();
  head_start_.stop();
  deadline_.stop();
  done_(owner_, std::move(result));
}

void Dialer::failed(const Route& route, std::string_view cause, Fault fault) {
  if (fault == Fault::address) means_.book.demote(route, uv_now(loop_));
  failure_.add(route.address.text(), cause, fault);
}

void Dialer::note(int error) {
  failure_.causes.refused |= error == ECONNREFUSED;
  failure_.causes.no_route |= error == EHOSTUNREACH || error == ENETUNREACH;
}

void Dialer::on_deadline() {
  failure_.causes.silent |= !attempts_.empty();
  for (const auto& attempt : attempts_) failed(attempt->route, "no answer within connect_timeout");
  attempts_.clear();
  head_start_.stop();
  done_(owner_, {common::Fd(), {}, {}, std::move(failure_)});
}

}  // namespace relayd::connector
