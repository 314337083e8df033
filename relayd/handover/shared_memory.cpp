#include "relayd/handover/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "relayd/handover/siphash.h"

namespace relayd {
namespace {

[[noreturn]] void fail(int error, const char* what) { throw std::system_error(error, std::generic_category(), what); }

}  // namespace

common::Fd SharedMemory::create(const char* name, size_t size) {
  common::Fd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  SipKey key{};
  if (!fd || ftruncate(fd.get(), static_cast<off_t>(size)) != 0 ||
      getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()) ||
      pwrite(fd.get(), key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()) ||
      fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    fail(errno, name);
  return fd;
}

SharedMemory::SharedMemory(int fd, size_t size) : size_(size) {
  struct stat info {};
  if (fstat(fd, &info) != 0) fail(errno, "memory that the workers share");
  if (info.st_size < static_cast<off_t>(size)) fail(EINVAL, "memory that the workers share");
  memory_ = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory_ == MAP_FAILED) fail(errno, "mapping memory that the workers share");
}

SharedMemory::~SharedMemory() { munmap(memory_, size_); }

}  // namespace relayd
