// Writes to an inherited descriptor without ever waiting for its reader, and without changing it for other processes.
//
// O_NONBLOCK belongs to the open file description, which standard output and error share with the program that started
// this one (open(2)). Setting it there would break that program. The way depends on the kind of file:
//
//   socket (journald's)      send(2) with MSG_DONTWAIT, which affects one call only
//   regular file             write(2), which waits for a disk, not for a reader
//   pipe, terminal, device   reopened through /proc/self/fd: a description of our own, which does not block
//   pipe of another user     can't be reopened (proc(5)): pwritev2(2) with RWF_NOWAIT, which affects one call only;
//                            before Linux 6.5, where pipes lack that flag, write(2) while the pipe is nearly empty
//
// One case is left: another user's terminal blocks while that user has stopped it with ^S.
#pragma once

#include <sys/types.h>

#include "common/fd.h"

namespace common {

class Output {
 public:
  Output() = default;  // accepts no bytes: EBADF
  // The caller keeps `fd` and keeps it open. Call before entering a sandbox, because this opens a file.
  Output(int fd);

  // Like write(2) on a non-blocking descriptor: returns the number of bytes written, or -1 and sets errno, to EAGAIN if
  // no byte can be written now. A pipe takes up to PIPE_BUF bytes whole or not at all (pipe(7)). Async-signal-safe.
  ssize_t write(const char* data, size_t size);

  // Replaces the inherited descriptor with our own description, if there is one, for a process that closes all other
  // descriptors. Children then inherit a descriptor that does not block.
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
