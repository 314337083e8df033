#include "relayd/connector/dialer.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/poll.h"
#include "relayd/connector/proxy_tunnel.h"

namespace relayd::connector {

struct Dialer::Attempt {
  Dialer& dialer;
  Route route;
  common::Fd socket;
  // Declared after the socket, so destroyed before it.
  std::unique_ptr<common::Poll> poll = {};  // null: it is ready
  std::unique_ptr<ProxyTunnel> tunnel = {};

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
  if (attempts_.empty() && !asking_) deadline_.start(std::chrono::milliseconds(0));
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
  attempts_.clear();
  head_start_.stop();
  if (means_.through_proxy) begin_tunnel(std::move(mine));
  else won(std::move(mine));
}

void Dialer::begin_tunnel(std::unique_ptr<Attempt> attempt) {
  asking_ = std::move(attempt);
  const ProxyAccess& proxy = *means_.through_proxy->proxy;
  asking_->tunnel =
      std::make_unique<ProxyTunnel>(loop_, asking_->socket.get(), ask_proxy(proxy, broker_of(asking_->route)),
                                    proxy.settings.connect_timeout, this, common::call<&Dialer::on_tunnel>);
}

void Dialer::on_tunnel(const std::string& problem) {
  auto asked = std::move(asking_);
  asked->tunnel.reset();
  if (problem.empty()) return won(std::move(asked));
  const auto& [host, port] = means_.through_proxy->proxy->settings.at;
  failed(asked->route, "the proxy " + host + ":" + std::to_string(port) + " " + problem);
  asked.reset();
  next();
}

void Dialer::won(std::unique_ptr<Attempt> attempt) {
  const Route route = attempt->route;
  Result result{std::move(attempt->socket), route, text_of(route), std::move(to_try_), std::move(failure_)};
  attempt.reset();  // before the callback, in which the owner and the quota may end
  deadline_.stop();
  done_(owner_, std::move(result));
}

std::string Dialer::text_of(const Route& route) const {
  if (!means_.through_proxy) return route.address.text();
  const auto& [host, port] = broker_of(route);
  return host + ":" + std::to_string(port) + " through " + route.address.text();
}

void Dialer::failed(const Route& route, std::string_view cause, Fault fault) {
  if (fault == Fault::address) means_.book.demote(route, uv_now(loop_));
  failure_.add(text_of(route), cause, fault);
}

void Dialer::note(int error) {
  failure_.causes.refused |= error == ECONNREFUSED;
  failure_.causes.no_route |= error == EHOSTUNREACH || error == ENETUNREACH;
}

void Dialer::on_deadline() {
  failure_.causes.silent |= !attempts_.empty() || asking_;
  if (asking_) failed(asking_->route, "no answer of the proxy within connect_timeout");
  asking_.reset();
  for (const auto& attempt : attempts_) failed(attempt->route, "no answer within connect_timeout");
  attempts_.clear();
  head_start_.stop();
  done_(owner_, {common::Fd(), {}, "", {}, std::move(failure_)});
}

}  // namespace relayd::connector
