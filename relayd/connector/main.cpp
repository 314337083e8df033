// mqtt-relayd-connector: resolves names, and connects to the brokers and to keyd for one generation's workers, which
// can make no socket. No key, no TLS, no MQTT. Only the supervisor executes it.
//
// It exits when its generation or the supervisor has ended.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <stdexcept>

#include "common/crash_report.h"
#include "common/hardening.h"
#include "common/log.h"
#include "relayd/connector/connector.h"
#include "relayd/connector/sandbox.h"
#include "relayd/handover/plan.h"

namespace {

using namespace relayd;
namespace log = common::log;

// It exits only when the supervisor wants it, not when a terminal or a service manager signals the whole group.
void die_with_the_supervisor() {
  prctl(PR_SET_NAME, kConnectorName);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) signal(number, SIG_IGN);
}

void say_last_words(std::string words) {
  words.insert(words.begin(), kDying);
  words.resize(std::min(words.size(), 1 + kMaxLastWords));
  [[maybe_unused]] const ssize_t sent =
      ::send(kConnectorControlFd, words.data(), words.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void run(uv_loop_t* loop, std::optional<connector::Connector>& serving) {
  die_with_the_supervisor();
  for (const int fd : {kConnectorPlanFd, kConnectorControlFd}) fcntl(fd, F_SETFD, FD_CLOEXEC);
  require_supervisor(kConnectorPlanFd);
  ConnectorPlan plan = ConnectorPlan::from_memfd(kConnectorPlanFd);
  close(kConnectorPlanFd);
  log::open(kConnectorProgram, plan.log);
  common::report_crashes(kConnectorProgram);
  const std::string lacking = connector::give_up_files_and_ports(plan);
  serving.emplace(loop, std::move(plan), common::Fd(kConnectorControlFd));
  serving->resolve();
  connector::give_up_system_calls(serving->plan(), lacking);
  serving->serve();
  common::Poller::run(loop);
}

}  // namespace

int main() {
  common::keep_standard_numbers();
  closefrom(kConnectorControlFd + 1);  // descriptors that relayd's own parent left open
  log::open(kConnectorProgram);
  uv_loop_t loop;
  uv_loop_init(&loop);
  std::optional<connector::Connector> serving;  // outside the try block: the handler still needs its control socket
  int status = 0;
  try {
    run(&loop, serving);
  } catch (const std::exception& error) {
    log::error("exits", error.what());
    say_last_words(error.what());
    status = 1;
  }
  log::finish();
  _exit(status);  // without destructors: a look-up that runs can't be stopped
}
