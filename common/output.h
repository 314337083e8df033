// Writes to an inherited descriptor without ever waiting for its reader, and without changing it for other processes.
//
// O_NONBLOCK belongs to the open file description, which standard output and error share with the program that started
// this one (open(2)): to set it there would break that program. Hence, in this order:
//
//   socket (journald's)           send(2) with MSG_DONTWAIT, which holds for one call
//   regular file                  write(2): it waits for a disk, not for a reader
//   pipe, terminal, device        opened anew through /proc/self/fd: a description of our own, which does not block
//   a pipe that may not be        pwritev2(2) with RWF_NOWAIT, which holds for one call; before Linux 6.5, where pipes
//   do (another user's: proc(5))     not know it, write(2) while the pipe is nearly empty
//
// What is left, another user's terminal, blocks while its user holds it with ^S.
#pragma once

#include <sys/types.h>

#include "common/fd.h"

namespace common {

class Output {
 public:
  Output() = default;  // takes nothing: EBADF
  // `fd` stays the caller's, and open. Before a sandbox, as it opens a file.
  Output(int fd);

  // As write(2) on a non-blocking descriptor: how many bytes were taken, or -1 and errno, EAGAIN if none can be taken
  // now. A pipe takes up to PIPE_BUF bytes whole or not at all (pipe(7)). Async-signal-safe.
  ssize_t write(const char* data, size_t size);

  // Puts the description of our own, if there is one, in the place of the descriptor that it was made from, for a
  // process that closes all others. That descriptor's children get one that does not block.
  void settle();

 private:
  enum class Way { direct, socket, no_wait, nearly_empty };
  bool nearly_empty() const;

  int fd_ = -1;  // to write to
  int inherited_ = -1;
  Fd own_;
  Way way_ = Way::direct;
};

}  // namespace common
