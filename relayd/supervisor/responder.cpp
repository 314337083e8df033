#include "relayd/supervisor/responder.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace relayd {

namespace {
constexpr common::Milliseconds kAcceptPause{100};  // after accept(2) failed for lack of descriptors or memory
}

//   reading → waiting (for the owner) → writing → finishing (until the peer has read) → closed
class Responder::Connection {
 public:
  Connection(Responder& server, uint64_t number, common::Fd fd)
      : server_(server),
        number_(number),
        fd_(std::move(fd)),
        deadline_(server.loop_, this, common::call<&Connection::close>),
        poll_(server.loop_, fd_.get(), this, common::call<&Connection::ready>) {
    deadline_.start(server.limits_.deadline);
    poll_.watch(UV_READABLE);
  }

  void answer(std::string text, std::vector<common::Fd> attached) {
    if (state_ == State::writing || state_ == State::finishing) return;
    text_ = std::move(text);
    attached_ = std::move(attached);
    state_ = State::writing;
    deadline_.start(server_.limits_.deadline);
    // Not written now: the owner may answer inside on_request().
    poll_.watch(UV_WRITABLE);
  }

  int socket() const { return fd_.get(); }

 private:
  enum class State { reading, waiting, writing, finishing };

  void close() { server_.close(number_); }  // `this` is gone

  void ready(int) {
    if (state_ == State::writing) write();
    else read();
  }

  void read() {
    char bytes[4096];
    const ssize_t got = ::recv(fd_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return close();
    if (state_ != State::reading) return;  // a second request is ignored
    text_.append(bytes, static_cast<size_t>(got));
    if (text_.size() > server_.limits_.request) return answer(server_.owner_.too_long(), {});
    if (!server_.owner_.is_whole(text_)) return;
    state_ = State::waiting;
    deadline_.start(server_.limits_.answer);
    const std::string request = std::move(text_);
    server_.owner_.on_request(number_, request);
  }

  ssize_t send_text() {
    return ::send(fd_.get(), text_.data() + sent_, text_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  ssize_t send_attached() {
    int fds[kMostAttached] = {};
    const size_t count = std::min(attached_.size(), kMostAttached);
    for (size_t i = 0; i < count; i++) fds[i] = attached_[i].get();
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {};
    iovec byte{text_.data() + sent_, 1};
    msghdr message{};
    message.msg_iov = &byte;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    const ssize_t sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) attached_.erase(attached_.begin(), attached_.begin() + static_cast<std::ptrdiff_t>(count));
    return sent;
  }

  void write() {
    const ssize_t sent = attached_.empty() ? send_text() : send_attached();
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (sent < 0) return close();
    sent_ += static_cast<size_t>(sent);
    if (sent_ < text_.size()) return;
    // Closing with bytes unread sends a reset, which can overtake the answer.
    state_ = State::finishing;
    ::shutdown(fd_.get(), SHUT_WR);
    poll_.watch(UV_READABLE);
  }

  Responder& server_;
  const uint64_t number_;
  common::Fd fd_;
  common::Timer deadline_;
  common::Poll poll_;
  State state_ = State::reading;
  std::string text_;  // the request, then the answer
  std::vector<common::Fd> attached_;
  size_t sent_ = 0;
};

Responder::Responder(uv_loop_t* loop, common::Fd listening, const Limits& limits, Owner& owner)
    : loop_(loop),
      listening_(std::move(listening)),
      limits_(limits),
      owner_(owner),
      poll_(loop, listening_.get(), this, common::call<&Responder::accept>),
      accept_again_(loop, this, common::call<&Responder::watch>) {
  watch();
}

Responder::~Responder() = default;

void Responder::watch() {
  poll_.watch(connections_.size() < limits_.connections && !accept_again_.running() ? UV_READABLE : 0);
}

void Responder::accept(int) {
  common::Fd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) accept_again_.start(kAcceptPause);
    return watch();
  }
  const std::string refusal = owner_.refusal(fd.get());
  const uint64_t number = ++last_;
  connections_.emplace(number, std::make_unique<Connection>(*this, number, std::move(fd)));
  if (!refusal.empty()) answer(number, refusal);
  watch();
}

void Responder::answer(uint64_t connection, std::string text, std::vector<common::Fd> attached) {
  if (const auto found = connections_.find(connection); found != connections_.end())
    found->second->answer(std::move(text), std::move(attached));
}

int Responder::socket(uint64_t connection) const {
  const auto found = connections_.find(connection);
  return found == connections_.end() ? -1 : found->second->socket();
}

void Responder::close(uint64_t number) {
  connections_.erase(number);
  watch();
}

}  // namespace relayd
