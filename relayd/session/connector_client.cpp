#include "relayd/session/connector_client.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "common/datagram.h"
#include "common/log.h"
#include "common/unix_address.h"

namespace relayd {

using common::socket_option;

ConnectorClient::ConnectorClient(uv_loop_t* loop, common::Fd channel, size_t brokers)
    : loop_(loop),
      channel_(std::move(channel)),
      brokers_(brokers),
      keyd_deadline_(loop, this, common::call<&ConnectorClient::keyd_is_late>),
      poll_(std::make_unique<common::Poll>(loop, channel_.get(), this, common::call<&ConnectorClient::on_ready>)) {
  poll_->set_patient(true);  // each answer may begin a handshake
  poll_->watch(UV_READABLE);
}

ConnectorClient::~ConnectorClient() { poll_.reset(); }

std::optional<uint64_t> ConnectorClient::ask(Asker& asker) {
  if (askers_.size() >= kMostAskers) return std::nullopt;
  askers_.emplace(++last_id_, &asker);
  unsent_.insert(last_id_);
  const uint64_t id = last_id_;
  send_unsent();
  return id;
}

void ConnectorClient::cancel(uint64_t id) {
  if (askers_.erase(id) == 0) return;
  // If it can't be sent, a dial goes on until its budget ends, and its connection is closed when it arrives.
  if (unsent_.erase(id) == 0) try_send({id, channel::Cancel{}});
}

void ConnectorClient::connect(Done done) {
  keyd_ = Keyd{++last_id_, std::move(done)};
  unsent_.insert(last_id_);
  keyd_deadline_.start(kPatience);
  send_unsent();
}

void ConnectorClient::forget() {
  if (keyd_) unsent_.erase(keyd_->id);
  keyd_.reset();
  keyd_deadline_.stop();
}

void ConnectorClient::keyd_is_late() { on_keyd({}, "the connector did not answer"); }

void ConnectorClient::on_ready(int events) {
  if (events & UV_READABLE) receive();
  if (poll_ && (events & UV_WRITABLE)) send_unsent();
}

// One answer for each turn of the loop.
void ConnectorClient::receive() {
  char bytes[channel::kMaxAnswer];
  common::Fd attached;
  const ssize_t got = common::receive_datagram(channel_.get(), bytes, attached);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return lose("it was closed");
  const auto answer = channel::decode_answer({reinterpret_cast<const uint8_t*>(bytes), static_cast<size_t>(got)});
  if (!answer) return ignore();
  on_answer(*answer, std::move(attached));
}

void ConnectorClient::on_answer(const channel::Answer& answer, common::Fd attached) {
  const auto& body = answer.body;
  if (std::holds_alternative<channel::Began>(body)) return begin();
  if (keyd_ && answer.id == keyd_->id) {
    const auto* keyd = std::get_if<channel::KeydAnswer>(&body);
    const bool good = keyd && keyd->problem.empty() && attached && socket_option(attached.get(), SO_DOMAIN) == AF_UNIX;
    if (good) return on_keyd(std::move(attached), "");
    return on_keyd({}, keyd && !keyd->problem.empty() ? keyd->problem : "no descriptor is left for a connection");
  }
  const auto node = askers_.extract(answer.id);
  if (!node.empty()) node.mapped()->answered(body, std::move(attached));  // otherwise it was cancelled
}

// The channel stays: the supervisor replaces a connector that does not do its work, and the successor uses it.
void ConnectorClient::ignore() {
  if (const auto suppressed = ignored_.admit(uv_now(loop_)))
    common::log::error("connector_misbehaved", "the connector sent something that is not an answer",
                       {{"suppressed", *suppressed}});
}

// A connector is there, perhaps a new one. Every unanswered question is asked again, behind those that are still in the
// channel.
void ConnectorClient::begin() {
  begun_ = to_begin_ = true;
  unsent_.clear();
  for (const auto& [id, asker] : askers_) unsent_.insert(id);
  if (keyd_) unsent_.insert(keyd_->id);
  send_unsent();
}

void ConnectorClient::send_unsent() {
  if (!begun_ || !poll_) return;
  if (to_begin_ && !try_send({0, channel::Begin{}})) return poll_->watch(UV_READABLE | UV_WRITABLE);
  to_begin_ = false;
  while (!unsent_.empty()) {
    if (!send_one(*unsent_.begin())) return poll_->watch(UV_READABLE | UV_WRITABLE);
    unsent_.erase(unsent_.begin());
  }
  poll_->watch(UV_READABLE);
}

bool ConnectorClient::send_one(uint64_t id) {
  if (const auto found = askers_.find(id); found != askers_.end()) return try_send({id, found->second->question()});
  return try_send({id, channel::Keyd{}});
}

bool ConnectorClient::try_send(const channel::Question& question) {
  const auto bytes = channel::encode(question);
  return poll_ && ::send(channel_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

void ConnectorClient::on_keyd(common::Fd attached, std::string_view problem) {
  keyd_deadline_.stop();
  if (!keyd_) return;
  const Keyd asked = std::move(*keyd_);
  keyd_.reset();
  unsent_.erase(asked.id);
  asked.done(std::move(attached), problem);
}

// Sessions that are up go on; askers and keyd's connection end at their deadlines.
void ConnectorClient::lose(const char* why) {
  common::log::error("connector_lost", "the connector can't be reached any more", {{"cause", why}});
  poll_.reset();
}

}  // namespace relayd
