// The status page: one HTML document without script, made of the supervisor's status. It asks the browser to load it
// again, and needs nothing else from anywhere.
//
// Everything in it is bounded: rows (kMostRows a table) and texts (Html::kLongestText), so that it has kMostPage bytes
// at most.
#pragma once

#include <string>
#include <string_view>

#include "relayd/monitor/history.h"
#include "relayd/monitor/html.h"
#include "relayd/overview/view.h"

namespace relayd::monitor {

using overview::View;

inline constexpr int kRefreshSeconds = 5;
inline constexpr size_t kMostRows = 48, kMostPage = 512 * 1024;

class Page {
 public:
  // `status` as for metrics_text(), with its exceptions; `clock`: unix seconds. Any thread.
  std::string html(std::string_view status, History::Clock::time_point at, int64_t clock);

 private:
  History history_;
};

// Its parts, in page_sections.cpp.
void add_workers(Html& html, const View& view);
void add_brokers(Html& html, const View& view);
void add_keyd(Html& html, const View& view);
void add_times(Html& html, const View& view);
void add_refusals(Html& html, const View& view);
void add_certificates(Html& html, const View& view);

}  // namespace relayd::monitor
