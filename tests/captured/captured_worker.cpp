// A captured worker: in slot 0 the attacker, in every other slot the real worker.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "common/datagram.h"
#include "common/fd.h"
#include "common/hardening.h"
#include "common/log.h"
#include "relayd/handover/plan.h"
#include "relayd/handover/scoreboard.h"
#include "relayd/worker/sandbox.h"
#include "relayd/worker/worker.h"
#include "tests/captured/attacker.h"
#include "tests/captured/keyd_attacks.h"

namespace {

using namespace relayd;
using captured::Words;

constexpr int kTurn = 100;  // milliseconds

class Captured {
 public:
  explicit Captured(const Plan& plan)
      : plan_(plan), scoreboard_(kScoreboardFd), commands_(listeners(), all_attacks()) {}

  int run() {
    relayd::enter_sandbox(plan_.worker, plan_.all_sockets(), plan_.config.require_sandbox);
    send(kControlFd, &kReady, 1, MSG_NOSIGNAL);
    for (;;) {
      if (!hangs_) count(scoreboard_->beat);
      if (commands_.turn(deaf_ ? -1 : kControlFd, kTurn) && ordered_to_leave()) return 0;
    }
  }

 private:
  std::vector<int> listeners() const {
    std::vector<int> all;
    for (int i = 0; i < plan_.all_sockets(); i++) all.push_back(kFirstListenerFd + i);
    return all;
  }

  captured::Attacks all_attacks() {
    captured::Attacks all = captured::kernel_attacks();
    all.merge(captured::listener_attacks(kFirstListenerFd, plan_.all_sockets()));
    all.merge(captured::keyd_attacks(kChannelFd));
    all.merge(captured::Attacks{
        // Sends the supervisor TIMES datagrams of these bytes (hexadecimal).
        {"say",
         [](const Words& words) {
           return captured::say_often(kControlFd, words.at(0), captured::from_hex(words.at(1)));
         }},
        {"forget",
         [this](const Words&) {
           commands_.forget_listeners();
           return std::string("done");
         }},
        {"deaf",
         [this](const Words&) {
           deaf_ = true;
           return std::string("done");
         }},
        {"hang",
         [this](const Words&) {
           hangs_ = true;
           return std::string("done");
         }},
        {"die",
         [](const Words& words) {
           signal(std::stoi(words.at(0)), SIG_DFL);
           return captured::outcome(raise(std::stoi(words.at(0))));
         }},
        // What it writes to each feed from now on.
        {"feed",
         [this](const Words& words) {
           feed_ = words.at(0);
           return std::string("done");
         }},
        {"lie", [this](const Words&) { return lie(); }},
        {"overwrite", [](const Words& words) { return overwrite(std::stoi(words.at(0))); }},
        {"send-descriptor", [](const Words& words) { return send_descriptor(std::stoi(words.at(0))); }},
    });
    return all;
  }

  bool ordered_to_leave() {
    static char order[kMaxOrder];
    common::Fd attached;
    const ssize_t got = common::receive_datagram(kControlFd, order, attached);
    if (got < 0) return errno != EAGAIN;
    if (got == 0) return true;
    const Order given = Order::decode({order, static_cast<size_t>(got)});
    if (given.what == Order::What::feed) write_feed(std::move(attached));
    if (given.what == Order::What::disconnect) answer_twice(given.request);
    return given.what == Order::What::retire || given.what == Order::What::drain;
  }

  void write_feed(common::Fd feed) {
    std::string text;
    if (feed_ == "terminal")
      text =
          "{\"session\":\"\\u001b]0;owned\\u0007\",\"client_id\":\"\\u001b[2J\\u009b31m\\u202e\"}\n"
          "{\"session\":\"\x1b]0;owned\x07\",\"device\":\"\x1b[2J\"}\n"
          "{\"end\":1,\"sessions\":1}\n";
    if (feed_ == "endless") text.assign(100'000, 'x');
    if (!text.empty()) send(feed.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    feeds_.push_back(std::move(feed));  // it never ends
  }

  static void answer_twice(uint32_t request) {
    char answer[1 + sizeof(Ended)] = {kEnded};
    const Ended none{request, 0};
    memcpy(answer + 1, &none, sizeof none);
    for (int time = 0; time < 2; time++) send(kControlFd, answer, sizeof answer, MSG_NOSIGNAL);
    common::log::info("answered_twice", "answered an order twice");
  }

  // Every number of this worker's scoreboard, the supervisor's own one included.
  std::string lie() {
    auto* numbers = reinterpret_cast<Counters::Number*>(&*scoreboard_);
    for (size_t i = 1; i < sizeof(Counters) / sizeof(Counters::Number); i++) numbers[i] = ~uint64_t{0} >> (i % 60);
    return "done";
  }

  static std::string overwrite(int fd) {
    struct stat info {};
    if (fstat(fd, &info) != 0) return captured::outcome(-1);
    void* memory = mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return captured::outcome(-1);
    memset(memory, 0xa5, static_cast<size_t>(info.st_size));
    munmap(memory, static_cast<size_t>(info.st_size));
    return "done";
  }

  static std::string send_descriptor(int fd) {
    return captured::outcome(common::send_datagram(kControlFd, {&kReady, 1}, fd) ? 0 : -1);
  }

  const Plan& plan_;
  Scoreboard scoreboard_;
  captured::Commands commands_;
  bool deaf_ = false, hangs_ = false;
  std::string feed_;
  std::vector<common::Fd> feeds_;
};

}  // namespace

int main() {
  common::keep_standard_numbers();
  const Plan plan = Plan::from_memfd(kPlanFd);
  if (plan.worker != 0) return relayd::run_worker();
  common::log::open("captured-worker");
  captured::ignore_orders();
  return Captured(plan).run();
}
