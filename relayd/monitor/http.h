// The monitor's HTTP: takes the head of a request, returns a whole response. cpp-httplib does the parsing.
//
// Only http.cpp uses the library, and only its Server's request parser and response writer. The library gets at most
// kMostHead bytes from memory, of one request without a body, and writes into memory. Sockets, deadlines and
// connections are ours (connections.h). So the weaknesses published for 0.18.7 up to August 2026 are out of reach,
// because they need what is absent here:
//
//   a request's body          CVE-2025-46728, CVE-2025-53629, CVE-2026-22776, CVE-2026-28435, CVE-2026-29076,
//                             CVE-2026-45352
//   an unbounded line or      CVE-2025-52887, CVE-2025-53628, and lines without an end (cpp-httplib's issue 2530)
//   number of headers
//   trust in a header, or     CVE-2025-66570, CVE-2025-66577, CVE-2026-45372, CVE-2026-46527
//   its value in an answer
//   a second request          CVE-2026-34441
//   an exception's text       CVE-2026-28434: the exception handler below
//   a route that is a regex   the stack overflow that 0.53.1 fixes: paths are compared, no route is registered
//   the library's client      CVE-2026-21428, CVE-2026-31870, CVE-2026-32627, CVE-2026-33745
//
// Debian's patches of 0.18.7-1+deb13u1 are for the first two groups. CVE-2026-54919 is listed for this release as well;
// its record was not available when this was written.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "relayd/monitor/metrics_page.h"

namespace relayd::monitor {

inline constexpr size_t kMostHead = 4096;  // bytes, up to and including the empty line

class Http {
 public:
  // What is served, from the supervisor's status; nullopt if there is no status now. Called by any thread.
  struct Pages {
    std::function<std::optional<std::string>(Format)> metrics;  // for Prometheus
    std::function<std::optional<std::string>()> why_not_ready;  // "": ready
    std::function<std::optional<std::string>()> status;         // for people: HTML
  };

  explicit Http(Pages pages);
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  // The response to a request whose head, up to and including the empty line, is `head`. Send it whole, then end the
  // connection. `head` may be any text. Any thread.
  std::string answer(std::string_view head) const;
  // The response to a head that is longer than kMostHead.
  static std::string too_long();

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace relayd::monitor
