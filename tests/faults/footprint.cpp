#include "tests/faults/footprint.h"

#include <cinttypes>
#include <cstdio>
#include <sstream>

#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/temp_dir.h"

namespace faults {
namespace {

using harness::read_file;

// relayd/tls/fiber.h: a guard page, then the stack. The next stack's guard page lies above, so that the kernel does not
// merge the mappings. Only the first stack may be merged with what lies above it; it is then not counted.
constexpr uint64_t kGuard = 4096, kStack = 64 * 1024;

size_t fibers_in(const std::string& maps) {
  size_t found = 0;
  uint64_t guard_end = 0;
  std::istringstream lines(maps);
  for (std::string line; std::getline(lines, line);) {
    uint64_t from = 0, to = 0;
    char access[5];
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, access) != 3) continue;
    const std::string rights = access;
    found += rights == "rw-p" && from == guard_end && to - from == kStack;
    guard_end = rights == "---p" && to - from == kGuard ? to : 0;
  }
  return found;
}

size_t number_after(const std::string& text, const std::string& name) {
  return std::stoul(text.substr(text.find("\n" + name + ":") + name.size() + 2));
}

}  // namespace

Footprint Footprint::of(pid_t pid) {
  const auto proc = harness::fs::path("/proc") / std::to_string(pid);
  const auto status = read_file(proc / "status");
  return {.memory = number_after(status, "VmRSS") * 1024,
          .descriptors = harness::open_descriptors(pid),
          .fibers = fibers_in(read_file(proc / "maps")),
          .threads = number_after(status, "Threads")};
}

std::string Footprint::text() const {
  return std::to_string(memory >> 10) + " KiB, " + std::to_string(descriptors) + " descriptors, " +
         std::to_string(fibers) + " fibers";
}

}  // namespace faults
