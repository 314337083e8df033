// The resources that a program holds, for tests of what must not grow.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

namespace faults {

struct Footprint {
  size_t memory = 0;  // resident, bytes
  size_t descriptors = 0;
  size_t fibers = 0;  // stacks of relayd's fibers, in use or pooled
  size_t threads = 0;

  static Footprint of(pid_t pid);
  std::string text() const;
};

}  // namespace faults
