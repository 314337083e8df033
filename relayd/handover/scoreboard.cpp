#include "relayd/handover/scoreboard.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace relayd {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

}  // namespace

Scoreboard::Scoreboard() : fd_(memfd_create("mqtt-relay-scoreboard", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  // Sealed: if a worker could shrink the page, its supervisor's next read would end in SIGBUS.
  if (!fd_ || ftruncate(fd_.get(), sizeof(Counters)) != 0 ||
      fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    fail("memfd for a worker's scoreboard");
  map(fd_.get());
  for (Counters::Listener& listener : counters_->listeners) listener.max_connections = UINT64_MAX;
}

Scoreboard::Scoreboard(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || info.st_size < static_cast<off_t>(sizeof(Counters))) fail("a worker's scoreboard");
  map(fd);
}

Scoreboard::~Scoreboard() {
  if (counters_) munmap(counters_, sizeof(Counters));
}

void Scoreboard::map(int fd) {
  void* memory = mmap(nullptr, sizeof(Counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) fail("mapping a worker's scoreboard");
  counters_ = static_cast<Counters*>(memory);  // zeroed memory is a valid lock-free atomic of value 0
  static_assert(Counters::Number::is_always_lock_free);
}

}  // namespace relayd
