// The birth and death of one process: a program of ours, with the descriptors that it needs and nothing else. What its
// death means is the owner's business.
//
// The program is executed by the descriptor that common::Program holds, so that a package that is replaced meanwhile
// changes nothing. It gets no arguments and an empty environment. It is killed when its object goes. Loop thread only.
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
    int64_t status = 0;  // of exit(3), if there was no signal
    int signal = 0;
    bool in_order() const { return signal == 0 && status == 0; }
    std::string text() const;  // "exit status 1", "signal Segmentation fault"
  };
  using Died = void (*)(void* owner, const Death& death);  // the owner may destroy the Child

  // `descriptors[i]` becomes number 3 + i of the process; -1 leaves that number closed. Standard output and error are
  // inherited. `name` is what `ps` shows. std::system_error if it can't be started.
  Child(uv_loop_t* loop, const common::Program& program, const char* name, std::span<const int> descriptors,
        void* owner, Died died);
  ~Child() { kill(SIGKILL); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int pid() const { return process_->pid; }
  void kill(int signal);  // nothing happens if it is dead

 private:
  void* owner_;
  Died died_;
  common::UvPtr<uv_process_t> process_;
};

}  // namespace relayd
