// Starts one process and reports its death: one of our programs, with only the descriptors that it needs. The owner
// decides what the death means.
//
// The program is executed through the descriptor that common::Program holds, so replacing the package meanwhile changes
// nothing. It gets no arguments and an empty environment, and has a session of its own (setsid(2)): it reaches no
// terminal, and no terminal's signal reaches it. Destroying the Child kills it. Loop thread only.
#pragma once

#include <signal.h>
#include <uv.h>

#include <span>
#include <string>

#include "common/program.h"
#include "common/uv.h"

namespace relayd {

class Child {
 public:
  struct Death {
    int64_t status = 0;  // exit(3)'s, if no signal ended the process
    int signal = 0;
    bool in_order() const { return signal == 0 && status == 0; }
    std::string text() const;  // "exit status 1", "signal Segmentation fault"
  };
  using Died = void (*)(void* owner, const Death& death);  // the owner may destroy the Child

  // `descriptors[i]` becomes descriptor 3 + i of the process; -1 leaves that number closed. Standard output and error
  // are inherited. `ps` shows `name`. Throws std::system_error if the process can't be started.
  Child(uv_loop_t* loop, const common::Program& program, const char* name, std::span<const int> descriptors,
        void* owner, Died died);
  ~Child() { kill(SIGKILL); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int pid() const { return process_->pid; }
  void kill(int signal);  // does nothing if the process is dead

 private:
  void on_exit(int64_t status, int signal) { died_(owner_, {status, signal}); }

  void* owner_;
  Died died_;
  common::UvPtr<uv_process_t> process_;
};

}  // namespace relayd
