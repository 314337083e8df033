// Which connections a broker closed without a CONNACK, and for which device.
//
// A broker, or the load balancer before it, may be ill in this way; then its address is to blame. But a device can
// bring it about, too: a server closes the connection of a malformed CONNECT (MQTT-3.1.4-1), and one device must not
// send all others to another broker. So a second device has to confirm it. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace relayd {

class SilentCloses {
 public:
  // It happened to `device`. True if it has happened to another device, and none has got a CONNACK since.
  bool confirmed(uint64_t address, uint64_t device) {
    if (devices_.size() >= kMost) devices_.clear();
    return devices_.try_emplace(address, device).first->second != device;
  }
  // A device got its CONNACK.
  void forget(uint64_t address) { devices_.erase(address); }

 private:
  static constexpr size_t kMost = 64;               // addresses change when names are looked up again
  std::unordered_map<uint64_t, uint64_t> devices_;  // the first device, by the address's number
};

}  // namespace relayd
