// Memory that the supervisor creates, that all workers map and that outlives each worker. It holds facts about devices
// that must not depend on the worker that serves them. It starts with a random SipKey; the rest is zero, which is a
// valid lock-free atomic of value 0.
//
// Any worker may write anything there at any time: a reader must treat the content as a claim, never as an invariant.
#pragma once

#include <cstddef>

#include "common/fd.h"

namespace relayd {

class SharedMemory {
 public:
  // Creates a sealed memfd, which no worker can shrink. Throws std::system_error if there is no memory.
  static common::Fd create(const char* name, size_t size);

  // Maps the memory from create(); does not keep `fd`. Throws std::system_error if `fd` is smaller than `size`.
  SharedMemory(int fd, size_t size);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  void* get() const { return memory_; }

 private:
  void* memory_;
  const size_t size_;
};

}  // namespace relayd
