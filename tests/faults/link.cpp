#include "tests/faults/link.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace faults {

void Link::Free::operator()(SSL* ssl) const { SSL_free(ssl); }

void Link::connect(const harness::Endpoint& to, const harness::TlsContext& context, int epoll,
                   EventThread::Ready* owner) {
  close();
  epoll_ = epoll;
  owner_ = owner;
  stage_ = Stage::connecting;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(to.port);
  inet_pton(AF_INET, to.host.c_str(), &address.sin_addr);
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) harness::fail_errno("socket of a device");
  const int yes = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  ssl_.reset(SSL_new(context.get()));
  SSL_set_mode(ssl_.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_set_fd(ssl_.get(), fd_);
  SSL_set_connect_state(ssl_.get());
  X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), to.host.c_str());
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS)
    return end(std::string("connect: ") + std::strerror(errno));
  wants_write_ = true;
  watch();
}

void Link::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  ssl_.reset();
  watched_ = 0;
  in_.clear();
  out_.clear();
  ended_.clear();
  taken_ = 0;
}

void Link::watch() {
  const uint32_t events = wants_write_ ? EPOLLIN | EPOLLOUT : EPOLLIN;
  if (events == watched_) return;
  epoll_event event{.events = events, .data = {.ptr = owner_}};
  if (epoll_ctl(epoll_, watched_ == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd_, &event) != 0)
    harness::fail_errno("epoll_ctl of a device");
  watched_ = events;
}

void Link::advance() {
  if (idle() || !ended_.empty()) return;
  if (stage_ == Stage::connecting) advance_connect();
  if (stage_ == Stage::handshake && ended_.empty()) advance_handshake();
  if (stage_ == Stage::open && ended_.empty()) {
    wants_write_ = false;
    read();
    write();
  }
  if (ended_.empty()) watch();
}

void Link::advance_connect() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return end(std::string("connect: ") + std::strerror(error));
  sockaddr_in peer{};
  size = sizeof peer;
  if (getpeername(fd_, reinterpret_cast<sockaddr*>(&peer), &size) == 0) stage_ = Stage::handshake;
}

void Link::advance_handshake() {
  wants_write_ = false;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) stage_ = Stage::open;
  else failed(result, "handshake");
}

void Link::read() {
  in_.erase(0, std::exchange(taken_, 0));
  std::array<char, 16384> chunk;
  for (;;) {
    ERR_clear_error();
    const int n = SSL_read(ssl_.get(), chunk.data(), static_cast<int>(chunk.size()));
    if (n <= 0) {
      failed(n, "session");
      return;
    }
    in_.append(chunk.data(), static_cast<size_t>(n));
  }
}

void Link::write() {
  while (!out_.empty() && ended_.empty()) {
    ERR_clear_error();
    const int n = SSL_write(ssl_.get(), out_.data(), static_cast<int>(out_.size()));
    if (n > 0) out_.erase(0, static_cast<size_t>(n));
    else if (!failed(n, "session")) return;
  }
}

// Returns true if the connection is over, not merely blocked.
bool Link::failed(int result, const char* where) {
  const int saved_errno = errno, error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ) return false;
  if (error == SSL_ERROR_WANT_WRITE) {
    wants_write_ = true;
    return false;
  }
  const auto code = ERR_peek_error();
  std::string how;
  if (error == SSL_ERROR_ZERO_RETURN) how = "close_notify";
  else if (error == SSL_ERROR_SYSCALL) how = saved_errno != 0 ? std::strerror(saved_errno) : "FIN";
  else if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) how = "FIN";
  else how = ERR_reason_error_string(code) ? ERR_reason_error_string(code) : "TLS error";
  end(std::string(where) + ": " + how);
  return true;
}

void Link::send(std::string_view bytes) {
  out_ += bytes;
  if (stage_ != Stage::open || !ended_.empty()) return;
  write();
  if (ended_.empty()) watch();
}

std::optional<harness::mqtt::Packet> Link::next_packet() {
  const auto rest = std::string_view(in_).substr(taken_);
  size_t length = 0, header = 1;
  for (int shift = 0;; shift += 7) {
    if (header >= rest.size()) return {};
    const auto byte = static_cast<uint8_t>(rest[header++]);
    length |= static_cast<size_t>(byte & 127) << shift;
    if (!(byte & 128)) break;
    if (shift == 21) throw harness::Failure("a packet's length has more than four bytes");
  }
  if (rest.size() < header + length) return {};
  harness::mqtt::Packet packet{std::string(rest.substr(0, header + length)), std::string(rest.substr(header, length))};
  taken_ += header + length;
  return packet;
}

}  // namespace faults
