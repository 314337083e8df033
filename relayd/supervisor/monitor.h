// The supervisor's side of the monitor: binds metrics.bind, keeps a monitor process (relayd/monitor) alive on it, and
// answers its one question. It gets no byte from a client.
//
// The monitor can't hold up the supervisor, and nothing it sends is trusted: a message other than a question, or too
// many questions, and the supervisor kills it. A dead monitor is replaced at once; if the new one also dies within
// kCalm, the next starts after 1 s, doubling to 60 s. Clients wait in the socket's queue meanwhile. Loop thread only.
#pragma once

#include <uv.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "common/fd.h"
#include "common/log.h"
#include "common/poll.h"
#include "common/program.h"
#include "common/uv.h"
#include "relayd/handover/config.h"
#include "relayd/handover/monitor_question.h"
#include "relayd/supervisor/child.h"
#include "relayd/supervisor/status.h"

namespace relayd {

class Monitor {
 public:
  using Look = Status (*)(void* owner);
  static constexpr std::chrono::seconds kFirst{1}, kLast{60}, kCalm{60};

  // Throws common::NotYet or common::ConfigError if `bind` is not available, std::system_error if `program` can't be
  // executed.
  Monitor(uv_loop_t* loop, const common::Program& program, const Config::Endpoint& bind,
          const MonitorSettings& settings, void* owner, Look look);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  // Of processes to come: one that runs writes nothing until it ends.
  void set_log_level(common::log::Level level) { settings_.log.level = level; }
  std::string text() const;  // the address, with the port that a bind to port 0 got
  MonitorStatus status() const;

 private:
  void start();
  void start_again();
  void on_message(int events);
  void answer(uint32_t number);
  void on_exit(const Child::Death& death);
  void died(const std::string& cause);
  bool asks_too_often();
  void end_process(const char* why);

  uv_loop_t* loop_;
  MonitorSettings settings_;
  void* owner_;
  Look look_;
  const common::Program& program_;
  const common::Fd listening_;
  std::optional<Child> process_;
  common::Fd socket_;
  std::unique_ptr<common::Poll> poll_;
  common::Timer again_;
  std::string misbehaviour_;  // why the process was killed; "": it was not
  uint64_t restarts_ = 0;
  std::chrono::steady_clock::time_point last_death_{}, second_{};
  std::chrono::seconds pause_{0};
  int questions_ = 0;  // since second_
};

}  // namespace relayd
