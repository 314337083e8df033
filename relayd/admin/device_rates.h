// What devices do: the rates between two lists of their sessions (feed_reader.h), and which are the busiest.
//
// Pure. Texts are workers' claims, cut after kLongestText; whoever shows them escapes them. Holds at most kMost
// sessions of each list.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "relayd/admin/client.h"

namespace relayd::admin {

// One session of a device.
struct DeviceSession {
  std::string session, client_id, address, state, route;
  uint64_t seconds = 0;              // since its connection was accepted
  uint64_t bytes = 0, messages = 0;  // in both directions, since then
  // A second; nullopt: there is nothing to compare with.
  std::optional<double> bytes_up = {}, bytes_down = {}, messages_rate = {};

  double bytes_rate() const { return bytes_up.value_or(0) + bytes_down.value_or(0); }
};

// Most first; age: the newest first, which shows devices that come back again and again.
enum class DeviceOrder : uint8_t { bytes, messages, total, age, client };
inline constexpr std::array<std::string_view, 5> kDeviceOrders{"bytes", "messages", "total", "age", "client"};

class DeviceRates {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr size_t kMost = 50'000, kLongestText = 256;  // bytes

  // A list begins. add() each of its sessions, as checked_session() returns them, then end() it.
  void begin(Clock::time_point at);
  void add(const Json& session);
  bool full() const { return next_.size() >= kMost; }
  // `all`: how many sessions there are. Only then do sessions() and the others change.
  void end(uint64_t all);
  // Forgets everything: relayd is another process.
  void clear();

  uint64_t all() const { return all_; }              // sessions there are
  size_t listed() const { return current_.size(); }  // of these
  // The first `most` of the last list.
  std::vector<DeviceSession> first(DeviceOrder order, size_t most) const;

 private:
  struct Counts {
    uint64_t bytes_up, bytes_down, messages;
  };
  void compare(DeviceSession& session, const Counts& counts) const;

  std::vector<DeviceSession> current_, next_;
  std::unordered_map<std::string, Counts> before_, counting_;  // by session, of the last list and of the next one
  Clock::time_point at_{}, next_at_{};
  bool has_before_ = false;
  uint64_t all_ = 0;
};

}  // namespace relayd::admin
