// While a session's upstream is being made: looked up, dialed, shaken hands with.
//
// The device is read, up to a bound, so that it is noticed at once when it gives up; then its CONNECT must not reach
// the broker seconds later and take over the session that it has opened meanwhile. A device that has said DISCONNECT
// has not given up: all that it said is delivered. A newer connection of the same device ends this one (newest.h).
#include "relayd/session/session.h"

namespace relayd {
namespace {

constexpr size_t kMostAhead = 64 * 1024;  // bytes behind CONNECT, and what one more receive brings; then it is not read

}  // namespace

void Session::hold(std::span<const uint8_t> bytes) {
  connect_bytes_.insert(connect_bytes_.end(), bytes.begin(), bytes.end());
  hold_back();
}

// A rate changes nothing here: a device that is not read is not noticed when it goes. It pays once its remote is there.
void Session::hold_back() {
  if (connect_bytes_.size() - connect_.size > kMostAhead) device_.pause();
}

// CONNECT … DISCONNECT: the device may leave, and none of it is withdrawn.
bool Session::has_said_all() const {
  mqtt::Framer framer(connect_.version, services_.config.listener.max_packet_size);
  return framer.feed(connect_bytes_).state == mqtt::Framer::State::disconnected;
}

// False: a newer connection of the device is known already. Not before keyd has answered: a device that may not come in
// ends no other connection.
bool Session::claim() {
  if (client_id_.empty()) return true;  // many devices'
  newest_id_ = services_.newest.device(client_id_, chain_.spki);
  services_.newest.claim(newest_id_, connect_time_, uv_hrtime());
  if (is_superseded()) return false;
  if (const auto older = services_.waiting.find(newest_id_); older != services_.waiting.end())
    older->second->supersede();
  services_.waiting[newest_id_] = this;
  return true;
}

bool Session::is_superseded() const {
  return newest_id_ != 0 && !services_.newest.is_newest(newest_id_, connect_time_, uv_hrtime());
}

void Session::supersede() {
  refuse(mqtt::Refusal::server_unavailable, "a newer connection of the same device has sent its CONNECT");
}

void Session::leave_waiting() {
  const auto own = services_.waiting.find(newest_id_);
  if (own != services_.waiting.end() && own->second == this) services_.waiting.erase(own);
}

}  // namespace relayd
