// How a test sees that the other end of a connection was closed, when both ends are in its own process.
#pragma once

#include <filesystem>
#include <iterator>

// The number of descriptors that this process has open.
inline long open_descriptors() {
  const std::filesystem::directory_iterator listed("/proc/self/fd");
  return std::distance(begin(listed), end(listed));
}
