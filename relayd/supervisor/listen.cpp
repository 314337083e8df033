#include "relayd/supervisor/listen.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/log.h"
#include "common/unix_address.h"
#include "relayd/handover/socket_address.h"
#include "relayd/handover/tcp_options.h"

namespace relayd {
namespace {

std::string advice(int error) {
  switch (error) {
    case EADDRINUSE: return "another program listens there; find it with \"ss -ltnp\", or choose another port";
    case EADDRNOTAVAIL: return "no interface of this machine has that address; see \"ip address\"";
    case EACCES: return "ports below 1024 need CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=)";
    default: return "choose another address";
  }
}

// `setting`: the listener's `bind`, for errors.
common::Fd bind_one(const SocketAddress& address, bool shared, const std::string& setting) {
  const auto fail = [&] {
    const int error = errno;
    const std::string text =
        setting + ": can't listen on " + address.text() + ": " + strerror(error) + "; " + advice(error);
    if (error == EADDRINUSE) throw AddressInUse(text);
    if (common::passes(error)) throw common::NotYet(text);
    throw common::ConfigError(text);
  };
  common::Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  const int on = 1;
  if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) fail();
  if (shared && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) fail();
  if (::bind(fd.get(), address.get(), address.size) != 0) fail();
  set_tcp_options(fd.get());
  return fd;
}

SocketAddress address_of(const Config::Listener& listener) {
  const auto& [host, port] = listener.bind;
  const auto address = SocketAddress::parse(host, port);
  if (!address)
    throw common::ConfigError(listener.setting_of("bind") + ": \"" + host + "\" is not a numeric IPv4 or IPv6 address");
  return *address;
}

void start_listening(int socket, int backlog) {
  if (::listen(socket, backlog) != 0)
    throw common::NotYet("bind: can't listen on " + SocketAddress::bound_to(socket).text() + ": " + strerror(errno));
}

}  // namespace

std::string mended(int socket, int backlog) {
  std::string found;
  const auto note = [&found](const char* what) { found.append(found.empty() ? "" : ", ").append(what); };
  if (common::socket_option(socket, SO_ACCEPTCONN) != 1) {
    start_listening(socket, backlog);
    note("it did not listen");
  }
  if (const int flags = fcntl(socket, F_GETFL); (flags & O_NONBLOCK) == 0) {
    fcntl(socket, F_SETFL, flags | O_NONBLOCK);
    note("it blocked");
  }
  unsigned timeout = 0;  // accepted sockets inherit it
  socklen_t size = sizeof timeout;
  if (getsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, &size) == 0 && timeout != 0) {
    timeout = 0;
    setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
    note("it gave connections a TCP_USER_TIMEOUT");
  }
  // Both fail with ENOENT or EINVAL if there is no program (socket(7)).
  const int none = 0;
  if (setsockopt(socket, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &none, sizeof none) == 0)
    note("a program chose the socket for each connection");
  if (setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none) == 0) note("a program filtered packets");
  return found;
}

// With SO_REUSEPORT, a second program of the same user can silently share the port. One bind without the option detects
// that.
void require_address(const Config::Listener& listener) {
  bind_one(address_of(listener), false, listener.setting_of("bind"));
}

ListenSockets::ListenSockets(const Config::Listener& listener, std::vector<common::Fd> activated)
    : before_(activated.size()),
      activated_(true),
      backlog_(listener.backlog),
      name_(listener.name),
      bind_(listener.bind) {
  for (common::Fd& socket : activated) {
    set_tcp_options(socket.get());
    sockets_.push_back({std::move(socket)});
  }
}

ListenSockets::ListenSockets(const Config::Listener& listener, int workers)
    : name_(listener.name), bind_(listener.bind) {
  require_address(listener);
  adapt(listener, workers);
}

bool ListenSockets::serves(const Config::Listener& listener) const {
  return activated_ ? name_ == listener.name : bind_ == listener.bind;
}

void ListenSockets::adapt(const Config::Listener& listener, int workers) {
  before_ = sockets_.size();
  backlog_ = listener.backlog;
  mend();
  if (activated_) return;
  const SocketAddress address = address_of(listener);
  while (sockets_.size() < static_cast<size_t>(workers))
    sockets_.push_back({bind_one(address, true, listener.setting_of("bind"))});
  for (const Socket& socket : sockets_)
    if (!socket.rests) start_listening(socket.fd.get(), backlog_);
}

// On Linux shutdown(2) ends listening and keeps the address; listen(2) begins anew.
void ListenSockets::rest(int number, int workers) {
  const size_t self = static_cast<size_t>(number), all = static_cast<size_t>(workers);
  if (activated_ || sockets_.size() < all) return;
  for (size_t i = self; i < sockets_.size(); i += all)
    sockets_[i].rests = ::shutdown(sockets_[i].fd.get(), SHUT_RD) == 0;
}

void ListenSockets::wake(int number, int workers) {
  const size_t self = static_cast<size_t>(number), all = static_cast<size_t>(workers);
  for (size_t i = self; i < sockets_.size(); i += all)
    if (sockets_[i].rests) sockets_[i].rests = ::listen(sockets_[i].fd.get(), backlog_) != 0;
}

void ListenSockets::mend() {
  for (const Socket& socket : sockets_) try {
      if (socket.rests) continue;
      if (const std::string found = mended(socket.fd.get(), backlog_); !found.empty())
        common::log::error("listener_mended", "another process changed a listening socket; relayd has restored it",
                           {{"bind", SocketAddress::bound_to(socket.fd.get()).text()}, {"found", found}});
    } catch (const common::NotYet& error) {
      common::log::error("listener_lost", error.what());
    }
}

std::vector<int> ListenSockets::of(int number, int workers) const {
  const size_t count = sockets_.size(), self = static_cast<size_t>(number), all = static_cast<size_t>(workers);
  if (count < all) return {sockets_[self % count].fd.get()};
  std::vector<int> served;
  for (size_t i = self; i < count; i += all) served.push_back(sockets_[i].fd.get());
  return served;
}

std::string ListenSockets::text() const { return SocketAddress::bound_to(sockets_.front().fd.get()).text(); }

std::vector<std::shared_ptr<ListenSockets>> sockets_for(const Config& config,
                                                        const std::vector<std::shared_ptr<ListenSockets>>& before) {
  std::vector<std::shared_ptr<ListenSockets>> all;
  try {
    for (const auto& listener : config.listeners) {
      const auto same = std::ranges::find_if(before, [&](const auto& one) { return one->serves(listener); });
      if (same == before.end()) {
        all.push_back(std::make_shared<ListenSockets>(listener, config.workers));
        continue;
      }
      all.push_back(*same);
      (*same)->adapt(listener, config.workers);
    }
  } catch (...) {
    discard_added(all, before);
    throw;
  }
  return all;
}

void discard_added(const std::vector<std::shared_ptr<ListenSockets>>& next,
                   const std::vector<std::shared_ptr<ListenSockets>>& before) {
  for (const auto& one : next)
    if (std::ranges::find(before, one) != before.end()) one->discard_added();
}

std::string text(const std::vector<std::shared_ptr<ListenSockets>>& all) {
  std::string text;
  for (const auto& one : all) text.append(text.empty() ? "" : ", ").append(one->text());
  return text;
}

}  // namespace relayd
