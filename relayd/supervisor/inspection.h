// One look of the inspector (handover/findings.h) at a plan: a process that is started, answers and ends.
//
// The answer is bounded in size and time. Loop thread only.
#pragma once

#include <optional>
#include <string>

#include "common/fd.h"
#include "common/uv.h"
#include "relayd/handover/findings.h"
#include "relayd/handover/plan.h"
#include "relayd/supervisor/child.h"

namespace relayd {

class Inspection {
 public:
  struct Result {
    Findings findings;
    std::string failure;  // why there are none: "" or what became of the inspector
  };
  // Once, later. The owner may destroy the Inspection.
  using Done = void (*)(void* owner, const Result& result);

  // std::system_error if it can't be started.
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
