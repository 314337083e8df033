#include "relayd/session/dialer.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace relayd {
namespace {

constexpr size_t kMaxCauses = 4;  // that are told; the others are counted

bool is_ours(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

}  // namespace

void set_tcp_options(int socket) {
  // A peer that vanished without a FIN: found after 60 s + 4 * 15 s of silence (tcp(7)); keep alive of MQTT is the
  // remote broker's business. None of these can fail on a TCP socket.
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
  std::unique_ptr<common::Poll> poll = {};  // behind the socket: it goes first
};

Dialer::Dialer(uv_loop_t* loop, AddressBook& book, std::chrono::milliseconds budget, void* owner, Done done)
    : loop_(loop),
      book_(book),
      addresses_(book.order(uv_now(loop))),
      owner_(owner),
      done_(done),
      head_start_(loop, this, [](void* self) { static_cast<Dialer*>(self)->next(); }),
      deadline_(loop, this, [](void* self) { static_cast<Dialer*>(self)->on_deadline(); }) {
  deadline_.start(budget);
  next();
}

Dialer::~Dialer() = default;

// Begins one more attempt. Without any left or under way, the deadline comes at once: from the loop, not from here.
void Dialer::next() {
  while (next_ < addresses_.size() && !failure_.busy)
    if (begin(addresses_[next_++])) return head_start_.start(kHeadStart);
  head_start_.stop();
  if (attempts_.empty()) deadline_.start(std::chrono::milliseconds(0));
}

bool Dialer::begin(const SocketAddress& address) {
  common::Fd socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket) {
    failure_.busy = is_ours(errno);
    failed(address, strerror(errno));
    return false;
  }
  set_tcp_options(socket.get());
  if (::connect(socket.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) {
    failed(address, strerror(errno));
    return false;
  }
  auto attempt = std::make_unique<Attempt>(*this, address, std::move(socket));
  attempt->poll = std::make_unique<common::Poll>(loop_, attempt->socket.get(), attempt.get(), [](void* self, int) {
    static_cast<Attempt*>(self)->dialer.on_ready(*static_cast<Attempt*>(self));
  });
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
    failed(mine->address, strerror(error));
    return next();
  }
  book_.promote(mine->address);
  // Those that had their head start and lost; a younger one may be as good.
  for (const auto& other : attempts_) {
    if (std::ranges::find(addresses_, other->address) > std::ranges::find(addresses_, mine->address)) break;
    book_.demote(other->address, uv_now(loop_));
  }
  mine->poll.reset();
  attempts_.clear();
  head_start_.stop();
  deadline_.stop();
  auto socket = std::move(mine->socket);
  done_(owner_, std::move(socket), failure_);  // may destroy this dialer
}

void Dialer::failed(const SocketAddress& address, const char* cause) {
  if (!failure_.busy) book_.demote(address, uv_now(loop_));
  if (++causes_ > kMaxCauses) {
    unsaid_++;
    return;
  }
  if (!failure_.text.empty()) failure_.text += "; ";
  failure_.text += address.text() + ": " + cause;
}

void Dialer::on_deadline() {
  for (const auto& attempt : attempts_) failed(attempt->address, "no answer within connect_timeout");
  attempts_.clear();
  head_start_.stop();
  give_up();
}

void Dialer::give_up() {
  Failure failure = std::move(failure_);  // the owner may destroy this dialer
  if (causes_ == 0) failure.text = "no address is known";
  if (unsaid_ > 0) failure.text += "; and " + std::to_string(unsaid_) + " more";
  done_(owner_, common::Fd(), failure);
}

}  // namespace relayd
