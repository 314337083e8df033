// A captured monitor.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "common/hardening.h"
#include "common/log.h"
#include "relayd/handover/monitor_question.h"
#include "relayd/monitor/sandbox.h"
#include "tests/captured/attacker.h"

namespace {

using namespace relayd;
using captured::Words;

// Sends the supervisor TIMES datagrams of SIZE bytes.
std::string ask(const Words& words) {
  return captured::say_often(kMonitorSocket, words.at(0), std::string(std::stoul(words.at(1)), 'q'));
}

bool supervisor_is_gone() {
  char answer[64];
  const ssize_t got = recv(kMonitorSocket, answer, sizeof answer, MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN);
}

}  // namespace

int main() {
  common::keep_standard_numbers();
  closefrom(kMonitorSocket + 1);
  captured::ignore_orders();
  MonitorSettings settings{};
  if (recv(kMonitorSocket, &settings, sizeof settings, 0) != sizeof settings) return 1;
  common::log::open("captured-monitor");
  monitor::give_up_system_calls(monitor::give_up_files(), false);
  captured::Attacks attacks = captured::kernel_attacks();
  attacks.merge(captured::listener_attacks(kMonitorListener, 1));
  attacks.emplace("ask", ask);
  captured::Commands commands({kMonitorListener}, std::move(attacks));
  while (!commands.turn(kMonitorSocket, 1000) || !supervisor_is_gone()) {
  }
  _exit(0);
}
