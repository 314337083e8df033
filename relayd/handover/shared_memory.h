// Memory that the supervisor makes, all workers map, and that outlives each of them: what is known of devices whichever
// worker serves them. It begins with a random SipKey, the rest is zero: lock-free atomics of value 0.
//
// Any worker may write anything there at any time: a reader takes what it finds for a claim, never for an invariant.
#pragma once

#include <cstddef>

#include "common/fd.h"

namespace relayd {

class SharedMemory {
 public:
  // A sealed memfd: no worker can shrink it under the others. std::system_error without memory.
  static common::Fd create(const char* name, size_t size);

  // Maps what create() made; `fd` is not kept. std::system_error if it is none of that size.
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
