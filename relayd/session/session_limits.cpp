// The limits of a session that is up: keep alive, send_timeout for peers that stop reading, the device's rates, bans.
// They cost no system call and no timer restart per message.
#include "relayd/session/session.h"

#include <algorithm>

#include "common/log.h"

namespace relayd {
namespace {

// A device with a rate limit is read in small pieces, so that one receive can't create a debt of minutes.
constexpr size_t kLeastReceive = 512;
constexpr uint64_t kBytesOfSmallMessage = 16;

}  // namespace

void Session::set_limits() {
  const auto& limits = listener();
  if (limits.messages_rate.count == 0 && limits.bytes_rate.count == 0) return;
  rates_ = std::make_unique<Rates>(Rates{TokenBucket(limits.messages_rate), TokenBucket(limits.bytes_rate)});
  uint64_t most = tls::Runtime::kReceive;
  if (limits.bytes_rate.count > 0) most = std::min(most, limits.bytes_rate.count);
  if (limits.messages_rate.count > 0) most = std::min(most, limits.messages_rate.count * kBytesOfSmallMessage);
  device_.limit_receive(std::max<size_t>(most, kLeastReceive));
}

// Resumes reading from the device, unless congestion or a throttle forbids it. May end the session: call it last.
void Session::resume_device() {
  const tls::Stream& sink = upstream_ ? *upstream_ : device_;
  if (sink.congested() || (throttle_ && throttle_->running())) return;
  heard_at_ = now();  // the device was not read meanwhile, so its silence proves nothing
  device_.resume();
}

// ---- keep alive ----------------------------------------------------------------------------------------------------

// MQTT section 3.2.2.3.14: the broker's Server Keep Alive overrides the device's value.
void Session::follow_connack(std::span<const uint8_t> bytes) {
  connack_->feed(bytes);
  if (!connack_->done()) return;
  const auto broker = connack_->server_keep_alive();
  connack_.reset();
  if (broker && state_ == State::relaying) set_keep_alive(*broker);
}

void Session::set_keep_alive(uint16_t seconds) {
  const auto& limits = listener();
  keep_alive_ = Milliseconds(static_cast<int64_t>(seconds * 1000.0 * limits.keepalive_multiplier));
  heard_at_ = now();
  // A device may sleep for as long as its keep alive allows while data for it waits (NB-IoT); after that it is lost.
  // The line to the broker may fail for the same time, as it could if the device were connected without a relay.
  device_.set_user_timeout(longest_silence());
  if (upstream_) upstream_->set_user_timeout(longest_silence());
  if (seconds == 0) return deadline_.stop();
  deadline_.start(keep_alive_);
}

void Session::check_keep_alive() {
  // While the device is paused, its silence proves nothing. After this process was stopped (SIGSTOP), bytes that came
  // meanwhile are still unread.
  if (device_.paused() || device_.has_unread()) heard_at_ = now();
  const Milliseconds silent(now() - heard_at_);
  if (silent < keep_alive_) return deadline_.start(keep_alive_ - silent);
  count(services_.counters.keep_alive_timeouts);
  device_ended_ = true;
  disconnect(mqtt::DisconnectReason::keep_alive_timeout,
             "silent for " + std::to_string(silent.count()) + " ms, longer than its keep alive allows");
}

// ---- peers that stop reading ---------------------------------------------------------------------------------------

// One timer for both legs; it does not run while the kernel takes everything.
void Session::watch_sends() {
  if (is_ending() || (!device_.congested() && (!upstream_ || !upstream_->congested()))) return;
  if (!stalled_)
    stalled_ = std::make_unique<common::Timer>(services_.runtime.loop, this, common::call<&Session::check_sends>);
  if (stalled_->running()) return;
  device_progress_.begin(device_, now());
  if (upstream_) upstream_progress_.begin(*upstream_, now());
  stalled_->start(listener().send_timeout);
}

// True if neither the peer nor the kernel has taken a byte for send_timeout; for the broker, for the keep alive if that
// is longer. Otherwise lowers `left` to the earliest time at which that could be so.
bool Session::stalls(tls::Stream& stream, Progress& progress, Milliseconds& left) {
  stream.push();  // if this process was stopped, the kernel may have room again
  if (is_ending() || !stream.congested()) return false;
  const bool device = &stream == &device_;
  const Milliseconds timeout = device ? listener().send_timeout : longest_silence();
  const Milliseconds idle = progress.idle(stream, now());
  left = std::min(left, timeout - idle);
  return idle >= timeout;
}

void Session::check_sends() {
  Milliseconds left = Milliseconds::max();
  const bool device = stalls(device_, device_progress_, left);
  const bool upstream = !device && upstream_ && stalls(*upstream_, upstream_progress_, left);
  if (is_ending()) return;
  if (device || upstream) count(services_.counters.send_timeouts);
  if (device) return finish("the device took nothing for send_timeout", common::log::Level::warning);
  if (upstream && state_ == State::relaying)
    return disconnect(mqtt::DisconnectReason::unspecified_error, "the broker took nothing for send_timeout");
  if (upstream) return refuse(mqtt::Refusal::server_unavailable, "the broker took nothing for send_timeout");
  if (left != Milliseconds::max()) stalled_->start(left);
}

// ---- rates ---------------------------------------------------------------------------------------------------------

// Received data is always forwarded. If it exceeds a rate, the device is not read again until the debt is paid.
void Session::charge(size_t bytes, uint64_t messages) {
  if (!rates_ || state_ == State::closing) return;
  rates_->bytes.take(bytes, now());
  rates_->messages.take(messages, now());
  const uint64_t wait = std::max(rates_->bytes.wait(now()), rates_->messages.wait(now()));
  if (wait == 0) return;
  count(services_.counters.throttled);
  device_.pause();
  if (!throttle_)
    throttle_ = std::make_unique<common::Timer>(services_.runtime.loop, this, common::call<&Session::resume_device>);
  throttle_->start(Milliseconds(wait));
}

// ---- bans ----------------------------------------------------------------------------------------------------------

bool Session::banned() {
  if (!listener_.flapping || client_id_.empty()) return false;  // many devices share the empty id
  flapping_id_ = listener_.flapping->device(client_id_, chain_.spki);
  return listener_.flapping->banned(flapping_id_, now() / 1000);
}

void Session::note_flapping() {
  if (!listener_.flapping || flapping_id_ == 0 || !listener_.flapping->ended(flapping_id_, now() / 1000)) return;
  using common::log::Field;
  write_log(common::log::Level::warning, "device_banned",
            "the device is banned: it ended its sessions too often (flapping_detect)", Field{"client_id", client_id_},
            Field{"ban_time_ms", listener_.flapping->limits().ban_time.count()});
}

}  // namespace relayd
