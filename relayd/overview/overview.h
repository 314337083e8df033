// What an operator sees first of a relay, in words: on the monitor's status page, and in `mqtt-relay top`.
//
// Pure. `view.now` and `view.before` are as in view.h, and so are the exceptions. Text may come from certificates and
// from paths: whoever shows it escapes it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relayd/overview/view.h"

namespace relayd::overview {

// One number that sums the relay up, and what explains it.
struct Headline {
  std::string_view name;
  std::string value, below;
};
std::vector<Headline> headlines(const View& view);

// What should be looked at although the relay may be ready, a sentence each.
std::vector<std::string> concerns(const View& view);

// The devices that were turned away for one cause, if there are any.
struct Refusal {
  std::string_view where;
  std::string cause;
  uint64_t count;              // since the start
  std::optional<double> rate;  // a second; nullopt: there is nothing to compare with
};
std::vector<Refusal> refusals(const View& view);  // in display order

// How long something takes: since `before` if it happened since then, else since the start.
struct Timing {
  std::string_view of;
  uint64_t count;  // since the start
  std::optional<double> rate;
  std::optional<double> median, most;  // seconds; most: of 99 %
};
std::vector<Timing> keyd_timings(const View& view);    // of the requests to keyd
std::vector<Timing> device_timings(const View& view);  // of those that happened

// A number that may not be known yet: "–".
std::string shown_rate(std::optional<double> rate);
std::string shown_time(std::optional<double> seconds);

// What a state of a process, or of keyd, says of the service.
enum class Mood : uint8_t { good, neutral, bad };
Mood mood_of(std::string_view state);

}  // namespace relayd::overview
