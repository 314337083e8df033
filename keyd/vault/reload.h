// A reload of keyd's configuration: asks the reader (startup/reader.h), which parses it, and applies its numbers.
//
// One thread, the loop's. A reader that answers something else, or has ended, changes nothing.
#pragma once

#include <uv.h>

#include <functional>
#include <string>

#include "common/fd.h"
#include "keyd/handover/reload_answer.h"

namespace keyd {

class Reload {
 public:
  // `apply` gets the new settings; `ended` is called at the end of each reload, whatever came of it.
  Reload(uv_loop_t& loop, common::Fd reader, std::function<void(const Changeable&)> apply, void (*ended)());
  void ask();   // also while an earlier question waits for its answer
  void stop();  // the loop must run once more before this object dies
  // Why the last reload changed nothing; "" if it did, or if there was none.
  const std::string& refusal() const { return refusal_; }

 private:
  void receive();
  void refuse(std::string why);
  common::Fd reader_;
  std::function<void(const Changeable&)> apply_;
  void (*ended_)();
  uv_poll_t poll_{};
  std::string refusal_;
};

}  // namespace keyd
