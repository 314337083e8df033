// A session while its upstream is set up: key look-up, dialing, TLS handshake.
//
// The device is read, up to kMostAhead, so that the session notices at once when it gives up. Otherwise its CONNECT
// would reach the broker seconds later and take over the session that the device has opened meanwhile. A device that
// has sent DISCONNECT has not given up: everything it sent is delivered. A newer connection of the same device ends
// this one: within a worker here, also for devices without a key. Across workers keyd decides, by the devices' proofs
// of presence (keyd/vault/presence.h), and does not sign for an older connection.
#include <utility>

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
  mqtt::Framer framer(connect_.version, listener().max_packet_size);
  return framer.feed(connect_bytes_).state == mqtt::Framer::State::disconnected;
}

// False: a newer connection of the device is already known. Called only after keyd has answered, so that a device which
// is refused ends no other connection.
bool Session::claim() {
  if (client_id_.empty()) return true;  // many devices share the empty id
  std::string device(chain_.spki.begin(), chain_.spki.end());
  device += client_id_;
  if (const auto other = services_.waiting.find(device); other != services_.waiting.end()) {
    if (other->second->connect_time_ > connect_time_) return false;
    other->second->supersede();
  }
  services_.waiting[device] = this;
  waits_as_ = std::move(device);
  return true;
}

void Session::supersede() {
  refuse(mqtt::Refusal::server_unavailable, "a newer connection of the same device has sent its CONNECT");
}

void Session::leave_waiting() {
  const auto own = services_.waiting.find(std::exchange(waits_as_, {}));
  if (own != services_.waiting.end() && own->second == this) services_.waiting.erase(own);
}

}  // namespace relayd
