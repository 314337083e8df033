// mqtt-relayd-monitor: answers HTTP on metrics.bind, so that the supervisor parses no byte from outside. Only the
// supervisor executes it.
//
// It starts with a listening socket and a socket to the supervisor, and can get no other descriptors than clients' and
// the answers' memory files. It knows only what the supervisor answers when a client asks. It exits when the supervisor
// does.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <optional>
#include <stdexcept>

#include "common/crash_report.h"
#include "common/hardening.h"
#include "common/log.h"
#include "relayd/handover/monitor_question.h"
#include "relayd/monitor/connections.h"
#include "relayd/monitor/http.h"
#include "relayd/monitor/metrics_text.h"
#include "relayd/monitor/page.h"
#include "relayd/monitor/sandbox.h"
#include "relayd/monitor/status_source.h"
#include "relayd/overview/readiness.h"

namespace {

using namespace relayd;
namespace log = common::log;

constexpr int kFlushMs = 1000;

// It exits only when the supervisor does, not when a terminal or a service manager signals the whole group.
void die_with_the_supervisor() {
  prctl(PR_SET_NAME, kMonitorName);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) signal(number, SIG_IGN);
}

MonitorSettings inherited_settings() {
  for (const int fd : {kMonitorListener, kMonitorSocket}) fcntl(fd, F_SETFD, FD_CLOEXEC);
  MonitorSettings settings{};
  if (recv(kMonitorSocket, &settings, sizeof settings, MSG_DONTWAIT) != sizeof settings)
    throw std::runtime_error("only mqtt-relayd starts this program, with sockets that it inherits");
  return settings;
}

// The only event is the end of the socket pair, which poll(2) always reports.
void wait_for_the_supervisors_end() {
  pollfd end{kMonitorSocket, 0, 0};
  while (poll(&end, 1, log::flush() ? -1 : kFlushMs) == 0 || (end.revents & POLLHUP) == 0) {
  }
}

void run() {
  die_with_the_supervisor();
  const MonitorSettings settings = inherited_settings();
  log::open(kMonitorProgram, settings.log);
  common::report_crashes(kMonitorProgram);

  const std::string lacking = monitor::give_up_files();
  monitor::StatusSource source(kMonitorSocket);
  monitor::Page status_page;
  const auto page = [&](auto make) {
    return [&source, make](auto... how) -> std::optional<std::string> {
      const auto status = source.get();
      return status ? std::optional(make(*status, how...)) : std::nullopt;
    };
  };
  const auto show = [&](const std::string& status) {
    return status_page.html(status, std::chrono::steady_clock::now(), time(nullptr));
  };
  const auto ready = [](const std::string& status) { return overview::why_not_ready(nlohmann::json::parse(status)); };
  const monitor::Http http({page(monitor::metrics_text), page(ready), page(show)});
  monitor::Connections connections(kMonitorListener, http);
  monitor::give_up_system_calls(lacking, settings.require_sandbox);
  connections.go();
  wait_for_the_supervisors_end();
  _exit(0);  // without destructors: the threads still use what this function owns
}

}  // namespace

int main() {
  common::keep_standard_numbers();
  closefrom(kMonitorSocket + 1);  // descriptors that relayd's own parent left open
  log::open(kMonitorProgram);
  try {
    run();
  } catch (const std::exception& error) {
    log::error("exits", error.what());
  }
  log::finish();
  _exit(1);
}
