// Asks relayd for what `mqtt-relay top` shows, again and again, without ever waiting: its caller polls.
//
// Each tick asks for the status, which costs the workers nothing, and for the list of sessions, which costs them about
// 4 µs a session. So at most kSessionsASecond are listed: with more sessions, lists come less often than ticks. A
// relayd that doesn't answer is asked again at the next tick.
#pragma once

#include <poll.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relayd/admin/feed_reader.h"
#include "relayd/admin/top_model.h"

namespace relayd::admin {

class TopSampler {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr common::Milliseconds kPatience{3'000};  // for an answer
  static constexpr uint64_t kSessionsASecond = 2'500;

  // `interval`: between two ticks.
  TopSampler(std::string control_socket, common::Milliseconds interval)
      : control_socket_(std::move(control_socket)), interval_(interval) {}

  void set_interval(common::Milliseconds interval);
  // Begins a tick if one is due. Call it before each poll(2). True: there is something new to show.
  bool begin_due();
  void add_to(std::vector<pollfd>& all) const;
  // Until a tick or a deadline is due.
  common::Milliseconds until_due() const;
  // Takes what has come, a part of it if it is much. True: there is something new to show.
  bool advance();

  bool under_way() const { return status_ || question_ || list_; }
  uint64_t samples() const { return samples_; }  // statuses so far
  TopSight sight(DeviceOrder order, size_t devices) const;

 private:
  using Status = nlohmann::json;

  void ask_for_status();
  void ask_for_list();
  bool take_status();
  bool take_feeds();
  bool take_list();
  void take(const Json& answer);
  void end_list();
  void fail(const std::string& what);
  std::chrono::seconds list_interval() const;

  const std::string control_socket_;
  common::Milliseconds interval_;
  Clock::time_point tick_{};  // the last one
  std::optional<Clock::time_point> listed_;
  std::unique_ptr<Question> status_, question_;
  std::unique_ptr<FeedReader> list_;
  Clock::time_point asked_{};
  Status now_;
  Clock::time_point now_at_{};
  uint64_t samples_ = 0;
  DeviceRates rates_;
  TopSight sight_;
};

}  // namespace relayd::admin
