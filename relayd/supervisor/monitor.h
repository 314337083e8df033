// The supervisor's side of the monitor: binds metrics.bind, keeps a monitor process (relayd/monitor) alive on it, and
// answers its one question. No byte of a client comes here.
//
// Nothing that the monitor does or leaves undone holds up the supervisor, and nothing it says is believed: another
// message than a question, or too many questions, end that process. A dead one has a successor at once; if that dies
// within kCalm, too, the next comes after 1 s, doubled up to 60 s. Clients wait in the socket's queue meanwhile. Loop
// thread only.
#pragma once

#include <uv.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "common/fd.h"
#include "common/log.h"
#include "common/program.h"
#include "common/uv.h"
#include "relayd/handover/config.h"
#include "relayd/supervisor/child.h"
#include "relayd/supervisor/status.h"

namespace relayd {

class Monitor {
 public:
  using Look = Status (*)(void* owner);
  static constexpr std::chrono::seconds kFirst{1}, kLast{60}, kCalm{60};

  // common::NotYet or common::ConfigError if `bind` can't be had, std::system_error if `program` can't be executed.
  Monitor(uv_loop_t* loop, const common::Program& program, const Config::Endpoint& bind, common::log::Level log_level,
          void* owner, Look look);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

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
  const common::log::Level log_level_;
  void* owner_;
  Look look_;
  const common::Program& program_;
  const common::Fd listening_;
  std::optional<Child> process_;
  common::Fd socket_;
  std::unique_ptr<common::Poll> poll_;
  common::Timer again_;
  std::string misbehaviour_;  // why the process was ended; "": it was not
  uint64_t restarts_ = 0;
  std::chrono::steady_clock::time_point last_death_{}, second_{};
  std::chrono::seconds pause_{0};
  int questions_ = 0;  // since second_
};

}  // namespace relayd
