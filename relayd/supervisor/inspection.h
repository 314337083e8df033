// Starts the inspector (handover/findings.h) on one plan and collects its answer.
//
// The answer is bounded in size and time. Loop thread only.
#pragma once

#include <optional>
#include <string>

#include "common/fd.h"
#include "common/poll.h"
#include "common/uv.h"
#include "relayd/handover/findings.h"
#include "relayd/handover/plan.h"
#include "relayd/supervisor/child.h"

namespace relayd {

class Inspection {
 public:
  struct Result {
    Findings findings;
    std::string failure;  // why there are no findings; "" if there are
  };
  // Called once, never from the constructor. The owner may destroy the Inspection in it.
  using Done = void (*)(void* owner, const Result& result);

  // Throws std::system_error if the inspector can't be started.
  Inspection(uv_loop_t* loop, const common::Program& inspector, const Plan& plan, void* owner, Done done);
  ~Inspection();
  Inspection(const Inspection&) = delete;
  Inspection& operator=(const Inspection&) = delete;

 private:
  void on_readable(int events);
  void on_death(const Child::Death& death);
  void give_up();
  void read_all();

  void* owner_;
  Done done_;
  common::Fd answer_;
  std::string bytes_;
  std::optional<Child> child_;
  std::optional<common::Poll> poll_;
  common::Timer deadline_;
};

}  // namespace relayd
