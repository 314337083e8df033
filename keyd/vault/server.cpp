#include "keyd/vault/server.h"

#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "common/log.h"

namespace keyd {
namespace {

using ipc::Status;
constexpr uint64_t kAcceptPauseMs = 100;

// Microseconds since the kernel took the datagram in, by its time stamp (SO_TIMESTAMPNS, wall clock).
uint64_t waited_us(msghdr& message) {
  timespec arrived{}, now{};
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) memcpy(&arrived, CMSG_DATA(c), sizeof arrived);
  if (arrived.tv_sec == 0) return 0;
  clock_gettime(CLOCK_REALTIME, &now);
  const int64_t us = (now.tv_sec - arrived.tv_sec) * int64_t{1'000'000} + (now.tv_nsec - arrived.tv_nsec) / 1000;
  return us > 0 ? static_cast<uint64_t>(us) : 0;
}

}  // namespace

Server::Server(uv_loop_t& loop, int listening, Limits limits, Service& service, Audit& audit)
    : listening_(listening), limits_(std::move(limits)), service_(service), audit_(audit) {
  uv_timer_init(&loop, &accept_timer_);
  uv_timer_init(&loop, &silence_timer_);
  if (uv_poll_init(&loop, &accept_poll_, listening_) != 0) throw std::runtime_error("the socket can't be watched");
  accept_timer_.data = silence_timer_.data = accept_poll_.data = this;
  const auto close = [](uv_timer_t* timer) { static_cast<Server*>(timer->data)->close_silent(); };
  uv_timer_start(&silence_timer_, close, limits_.hello_timeout_ms, limits_.hello_timeout_ms);
  service_.on_reply([this](uint64_t number, std::span<const uint8_t> datagram) { reply(number, datagram); });
  resume_accepting();
}

void Server::stop() {
  while (!open_.empty()) close(open_.begin()->second);
  for (auto* handle : {reinterpret_cast<uv_handle_t*>(&accept_poll_), reinterpret_cast<uv_handle_t*>(&accept_timer_),
                       reinterpret_cast<uv_handle_t*>(&silence_timer_)})
    if (!uv_is_closing(handle)) uv_close(handle, nullptr);
}

void Server::resume_accepting() {
  const auto accept = [](uv_poll_t* handle, int, int) { static_cast<Server*>(handle->data)->accept_one(); };
  uv_poll_start(&accept_poll_, UV_READABLE, accept);
}

void Server::accept_one() {
  common::Fd fd(accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return accept_failed(errno);
  out_of_descriptors_ = false;
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return;
  const Peer peer{credentials.pid, credentials.uid};
  if (const char* reason = why_not(peer)) audit_.write({"connect", peer, nullptr, nullptr, Status::denied, reason});
  else start(std::move(fd), peer);
}

const char* Server::why_not(const Peer& peer) const {
  const auto& allowed = limits_.allowed_uids;
  if (std::find(allowed.begin(), allowed.end(), peer.uid) == allowed.end())
    return "the peer's user is not in allowed_users";
  if (open_.size() >= limits_.max_connections) return "max_connections is reached";
  const auto of_peer = [&](const auto& connection) { return connection.second.peer.pid == peer.pid; };
  if (peer.pid != 0 &&
      std::count_if(open_.begin(), open_.end(), of_peer) > static_cast<long>(limits_.max_connections / 2))
    return "the process has too many connections";
  return nullptr;
}

// Without a free descriptor the connection stays in the queue and the socket stays readable: wait, do not spin.
void Server::accept_failed(int error) {
  if (error != EMFILE && error != ENFILE && error != ENOMEM && error != ENOBUFS) return;
  if (!std::exchange(out_of_descriptors_, true))
    common::log::error("accept_failed", "can't accept", {{"cause", strerror(error)}, {"fix", "raise LimitNOFILE="}});
  uv_poll_stop(&accept_poll_);
  const auto resume = [](uv_timer_t* timer) { static_cast<Server*>(timer->data)->resume_accepting(); };
  uv_timer_start(&accept_timer_, resume, kAcceptPauseMs, 0);
}

void Server::start(common::Fd fd, const Peer& peer) {
  const int on = 1;  // when a request arrived, for the audit
  Connection& connection = open_[++last_number_];
  connection.stamped = setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0;
  connection.server = this;
  connection.number = last_number_;
  connection.since_ms = uv_now(accept_poll_.loop);
  connection.peer = peer;
  connection.peer.gone = connection.gone;
  // A process outside keyd's PID namespace, such as in another container, has no number here (pid_namespaces(7)).
  connection.peer.lane = peer.pid != 0 ? static_cast<uint64_t>(peer.pid) : connection.number << 32;
  connection.fd = std::move(fd);
  connection.poll.data = &connection;
  if (uv_poll_init(accept_poll_.loop, &connection.poll, connection.fd.get()) != 0) {
    open_.erase(last_number_);
    return;
  }
  watch(connection);
}

void Server::close_silent() {
  for (auto it = open_.begin(); it != open_.end();) {
    Connection& connection = (it++)->second;
    if (!connection.greeted && uv_now(accept_poll_.loop) - connection.since_ms >= limits_.hello_timeout_ms)
      refuse(connection, 0, Status::denied, "no HELLO in time");
  }
}

// Reads from a peer only while nothing waits to be sent to it.
void Server::watch(Connection& connection) {
  const auto event = [](uv_poll_t* handle, int status, int events) {
    auto& c = *static_cast<Connection*>(handle->data);
    if (status < 0) c.server->close(c);
    else if (events & UV_WRITABLE) c.server->flush(c);
    else if (events & UV_READABLE)
      for (size_t n = 0; n < 2 * SignerPool::kMostAtOnce && c.server->read_one(c);) n++;  // half are for the pool
  };
  const int wanted = connection.waiting.empty() ? UV_READABLE : UV_WRITABLE;
  if (std::exchange(connection.watched, wanted) == wanted) return;  // uv_poll_start costs two system calls
  if (uv_poll_start(&connection.poll, wanted, event) != 0) close(connection);
}

void Server::close(Connection& connection) {
  *connection.gone = true;
  closing_.insert(open_.extract(connection.number));
  uv_close(reinterpret_cast<uv_handle_t*>(&connection.poll), [](uv_handle_t* handle) {
    auto& c = *static_cast<Connection*>(handle->data);
    c.server->closing_.erase(c.number);
  });
  connection.fd.reset();  // libuv has closed the handle
}

// True: there may be another one to read now.
bool Server::read_one(Connection& connection) {
  // Room for the time stamp only, and for nothing where there is none (qemu-user): descriptors that a peer sends along
  // are dropped by the kernel, and MSG_CTRUNC says so.
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec))];
  iovec part{buffer_.data(), buffer_.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = connection.stamped ? sizeof control : 0;
  const ssize_t got = recvmsg(connection.fd.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) close(connection);
  else if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
    refuse(connection, 0, Status::malformed, message.msg_flags & MSG_TRUNC ? "too long" : "descriptors sent along");
  else handle(connection, {buffer_.begin(), buffer_.begin() + got}, waited_us(message));
  return connection.fd && connection.waiting.empty();
}

void Server::handle(Connection& connection, std::vector<uint8_t> datagram, uint64_t wait_us) {
  const auto request = ipc::decode_request(datagram);
  if (!request) return refuse(connection, 0, Status::malformed, "not a message of this protocol");
  if (const auto* hello = std::get_if<ipc::Hello>(&request->body)) return greet(connection, request->id, *hello);
  if (!connection.greeted) return refuse(connection, request->id, Status::malformed, "the first message is not HELLO");
  service_.take(connection.number, connection.peer, *request, std::move(datagram), wait_us);
}

void Server::reply(uint64_t number, std::span<const uint8_t> datagram) {
  if (const auto found = open_.find(number); found != open_.end()) send(found->second, datagram);
}

void Server::greet(Connection& connection, uint32_t id, const ipc::Hello& hello) {
  if (connection.greeted) return refuse(connection, id, Status::malformed, "a second HELLO");
  connection.peer.worker = hello.worker;
  connection.peer.timeout = std::chrono::milliseconds(std::min(hello.timeout_ms, ipc::kMaxTimeoutMs));
  if (hello.version != ipc::kVersion) return refuse(connection, id, Status::denied, "another version of the protocol");
  // A worker's second HELLO ends its earlier connection; a process that speaks for itself may have several.
  uint64_t& lane = connection.peer.lane;
  if (hello.series != 0) lane = hello.series ^ (uint64_t{connection.peer.uid} << 32) ^ hello.worker;
  const auto former = std::find_if(open_.begin(), open_.end(), [&](const auto& other) {
    return hello.series != 0 && &other.second != &connection && other.second.peer.lane == lane;
  });
  const char* note = former != open_.end() ? "the worker's earlier connection ends" : "";
  if (former != open_.end()) close(former->second);
  audit_.write({"connect", connection.peer, nullptr, nullptr, Status::ok, note});  // otherwise nothing is signed either
  connection.greeted = true;
  const auto welcome = ipc::encode_welcome({ipc::kVersion, service_.options().rules.bind_remote,
                                            service_.options().rules.require_presence, service_.mark()});
  ipc::ResponseBuffer out;
  send(connection, std::span(out).first(ipc::encode(ipc::Response{id, Status::ok, 0, welcome}, out)));
}

// The last answer of a connection says why it ends, and keyd's version, for a peer with another one.
void Server::refuse(Connection& connection, uint32_t id, Status status, const char* reason) {
  audit_.write(
      {status == Status::malformed ? "malformed" : "connect", connection.peer, nullptr, nullptr, status, reason});
  const auto welcome = ipc::encode_welcome({});
  ipc::ResponseBuffer out;
  const size_t size = ipc::encode(ipc::Response{id, status, 0, welcome}, out);
  // A peer that does not read its answers gets no further ones.
  ::send(connection.fd.get(), out.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
  close(connection);
}

void Server::send(Connection& connection, std::span<const uint8_t> datagram) {
  connection.waiting.emplace_back(datagram.begin(), datagram.end());
  flush(connection);
}

void Server::flush(Connection& connection) {
  auto& waiting = connection.waiting;
  while (!waiting.empty()) {
    const ssize_t sent =
        ::send(connection.fd.get(), waiting.front().data(), waiting.front().size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) return close(connection);
    waiting.pop_front();
  }
  watch(connection);
}

}  // namespace keyd
