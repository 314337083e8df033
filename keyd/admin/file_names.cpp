#include "keyd/admin/file_names.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace keyd::admin {

FileNames::FileNames(int directory, std::string path) : path_(std::move(path)) {
  // An O_PATH descriptor can't be listed.
  const int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  listed_.reset(fd < 0 ? nullptr : fdopendir(fd));
  if (!listed_) fail();
}

const char* FileNames::next() {
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(listed_.get());
    if (!entry && errno != 0) fail();
    if (!entry) return nullptr;
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) return entry->d_name;
  }
}

void FileNames::fail() const { throw std::runtime_error(path_ + ": can't be listed: " + strerror(errno)); }

}  // namespace keyd::admin
