// An event loop for a command that does one thing and waits for it: relayd's own code runs only on loops.
#pragma once

#include <uv.h>

namespace relayd::admin {

class Loop {
 public:
  Loop() { uv_loop_init(&loop_); }
  ~Loop() {  // everything that lived on it is already gone
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  uv_loop_t* get() { return &loop_; }
  void run() { uv_run(&loop_, UV_RUN_DEFAULT); }  // until stop() is called
  void stop() { uv_stop(&loop_); }

 private:
  uv_loop_t loop_{};
};

}  // namespace relayd::admin
