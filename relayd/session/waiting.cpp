// A session while its upstream is set up: key look-up, dialing, TLS handshake.
//
// The device is read, up to kMostAhead, so that the session notices at once when it gives up. Otherwise its CONNECT
// would reach the broker seconds later and take over the session that the device has opened meanwhile. A device that
// has sent DISCONNECT has not given up: everything it sent is delivered. A newer connection of the same device ends
// this one (newest.h).
#include "relayd/session/session.h"

namespace relayd {
namespace {

constexpr size_t kMostAhead = 64 * 1024;  // bytes after CONNECT at which reading stops; one receive may exceed it

}  // namespace

void Session::hold(std::span<const uint8_t> bytes) {
  connect_bytes_.insert(connect_bytes_.end(), bytes.begin(), bytes.end());
  hold_back();
}

// Rates don't apply yet: the session would not notice that a throttled device leaves. The device pays once its upstream
// is up.
void Session::hold_back() {
  if (connect_bytes_.size() - connect_.size > kMostAhead) device_.pause();
}

// The device has sent CONNECT … DISCONNECT: it may leave, and everything that it sent still counts.
bool Session::has_said_all() const {
  mqtt::Framer framer(connect_.version, services_.config.listener.max_packet_size);
  return framer.feed(connect_bytes_).state == mqtt::Framer::State::disconnected;
}

// False: a newer connection of the device is already known. Called only after keyd has answered, so that a device which
// is refused ends no other connection.
bool Session::claim() {
  if (client_id_.empty()) return true;  // many devices share the empty id
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
