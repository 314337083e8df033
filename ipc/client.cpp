#include "ipc/client.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/log.h"
#include "common/unix_address.h"

namespace ipc {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kFirstBackoff{10}, kLastBackoff{1000};
constexpr uint32_t kHelloId = 0;    // tickets start at 1
constexpr int kReadsPerWakeup = 8;  // each answer may continue a handshake

}  // namespace

Client::Client(uv_loop_t* loop, Options options, ConnectionSource* source)
    : loop_(loop),
      options_(std::move(options)),
      source_(source),
      reconnect_(loop, this, common::call<&Client::connect>),
      deadline_(loop, this, common::call<&Client::expire>),
      backoff_(kFirstBackoff) {
  connect();
}

Client::~Client() {
  if (source_) source_->forget();
  poll_.reset();  // before fd_ closes
}

std::optional<Client::Ticket> Client::submit(Request request, Callback callback) {
  if (pending_.size() >= options_.max_pending) return std::nullopt;
  if (static_cast<uint32_t>(++last_ticket_) == kHelloId) ++last_ticket_;
  request.id = static_cast<uint32_t>(last_ticket_);
  const size_t size = encode(request, buffer_);
  if (size == 0) return std::nullopt;
  const uint64_t deadline = uv_now(loop_) + static_cast<uint64_t>(options_.timeout.count());
  pending_.emplace(
      last_ticket_,
      Pending{std::move(callback), {buffer_.begin(), buffer_.begin() + size}, deadline, uv_hrtime(), request.op()});
  arm_deadline();
  if (state_ == State::ready) send_pending();
  return last_ticket_;
}

std::optional<Client::Ticket> Client::stats(Callback callback) {
  return submit({0, std::monostate{}}, [this, told = std::move(callback)](const Answer& answer) {
    if (const auto counters = answer.arrived ? decode_counters(answer.payload) : std::nullopt)
      welcome_.mark = counters->mark;
    told(answer);
  });
}

void Client::connect() {
  if (source_)
    return source_->connect([this](common::Fd connected, std::string_view problem) {
      if (connected) take(std::move(connected));
      else disconnect(problem);
    });
  const auto address = common::UnixAddress::of(options_.socket_path);
  if (!address) return disconnect("the path is too long for a socket");
  common::Fd connected(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Never in progress: a Unix socket connects at once, or says EAGAIN when the server's backlog is full (connect(2)).
  if (!connected || ::connect(connected.get(), address->get(), address->kSize) != 0) return disconnect(strerror(errno));
  take(std::move(connected));
  if (state_ == State::greeting) greet();
}

void Client::take(common::Fd connected) {
  fd_ = std::move(connected);
  poll_ = std::make_unique<common::Poll>(loop_, fd_.get(), this, common::call<&Client::on_ready>);
  poll_->set_patient(true);
  poll_->watch(UV_READABLE);
  if (poll_->error() != 0) return disconnect(strerror(poll_->error()));
  state_ = State::greeting;
}

// A source has sent HELLO already.
void Client::greet() {
  const Hello hello{kVersion, options_.worker, static_cast<uint32_t>(options_.timeout.count())};
  send({buffer_.data(), encode(Request{kHelloId, hello}, buffer_)});
}

void Client::disconnect(std::string_view why) {
  // Logs the first cause only; later reconnects that fail add nothing.
  if (!reported_away_)
    common::log::warning("keyd_away", "keyd is not reachable; new handshakes wait for it",
                         {{"socket", options_.socket_path}, {"cause", why}, {"worker", options_.worker}});
  reported_away_ = true;
  state_ = State::waiting;
  poll_.reset();
  fd_.reset();
  reconnect_.start(backoff_);
  backoff_ = std::min(backoff_ * 2, kLastBackoff);
}

void Client::on_ready(int events) {
  if (events & UV_READABLE) receive();
  if (state_ == State::ready && (events & UV_WRITABLE)) send_pending();
}

void Client::receive() {
  ResponseBuffer buffer;
  for (int reads = 0; reads < kReadsPerWakeup && state_ != State::waiting; reads++) {
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_TRUNC | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got < 0) return disconnect(strerror(errno));
    if (got == 0) return disconnect("keyd closed the connection");
    const auto response = static_cast<size_t>(got) <= buffer.size()
                              ? decode_response({buffer.data(), static_cast<size_t>(got)})
                              : std::nullopt;
    if (!response) return disconnect("keyd sent something that is not an answer of this protocol");
    if (state_ == State::ready) on_response(*response);
    else {
      const auto welcome = decode_welcome(response->payload);
      if (response->id != kHelloId || response->status != Status::ok || !welcome || welcome->version != kVersion)
        return disconnect("keyd refused this process: see its audit log, allowed_users and both versions");
      welcome_ = *welcome;
      if (reported_away_) common::log::info("keyd_back", "keyd is reachable again", {{"worker", options_.worker}});
      reported_away_ = false;
      state_ = State::ready;
      backoff_ = kFirstBackoff;
      sent_up_to_ = 0;
      give_up_repeated();
      send_pending();
    }
  }
}

void Client::on_response(const Response& response) {
  // Tickets in flight span far less than 2^32: the wire id names one of them, or one that was cancelled.
  Ticket ticket = (last_ticket_ & ~Ticket{0xffffffff}) | response.id;
  if (ticket > last_ticket_) ticket -= Ticket{1} << 32;
  auto node = pending_.extract(ticket);
  if (node.empty()) return;
  if (options_.answered) options_.answered(node.mapped().op, uv_hrtime() - node.mapped().began);
  node.mapped().callback({true, response.status, response.retry_after_ms, response.payload});
}

bool Client::send(std::span<const uint8_t> datagram) {
  if (::send(fd_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
  if (errno == EAGAIN) poll_->watch(UV_READABLE | UV_WRITABLE);
  else disconnect(strerror(errno));
  return false;
}

void Client::send_pending() {
  for (auto it = pending_.upper_bound(sent_up_to_); it != pending_.end(); ++it) {
    if (!send(it->second.datagram)) return;
    sent_up_to_ = it->first;
    it->second.sent++;
  }
  poll_->watch(UV_READABLE);
}

void Client::give_up_repeated() {
  const auto repeated = [](const auto& entry) { return entry.second.sent >= kMostSends; };
  size_t count = 0;
  for (; std::ranges::any_of(pending_, repeated); count++) {
    auto node = pending_.extract(std::ranges::find_if(pending_, repeated));  // the callback may change pending_
    node.mapped().callback({});
  }
  if (count > 0)
    common::log::error("keyd_requests_given_up",
                       "keyd ended the connection after each of these requests; they are given up",
                       {{"requests", count}, {"worker", options_.worker}});
}

void Client::expire() {
  while (!pending_.empty() && pending_.begin()->second.deadline <= uv_now(loop_)) {
    auto node = pending_.extract(pending_.begin());
    node.mapped().callback({});
  }
  if (!pending_.empty()) arm_deadline();
}

void Client::arm_deadline() {
  if (deadline_.running() && pending_.size() > 1) return;  // the oldest has the earliest deadline
  const uint64_t due = pending_.begin()->second.deadline, now = uv_now(loop_);
  deadline_.start(milliseconds(due > now ? due - now : 0));
}

}  // namespace ipc
