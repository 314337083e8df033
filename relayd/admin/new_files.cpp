#include "relayd/admin/new_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "common/config.h"
#include "common/fd.h"
#include "common/operator/checks.h"

namespace relayd::admin {
namespace {

bool is_there(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0;
}

[[noreturn]] void fail(const std::string& path) {
  const int error = errno;
  throw std::system_error(
      error, std::generic_category(),
      path + " can't be written" + (error == EACCES && geteuid() != 0 ? " (run this as root)" : ""));
}

void write_all(int fd, const std::string& text, const std::string& path) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t now = ::write(fd, text.data() + done, text.size() - done);
    if (now < 0 && errno != EINTR) fail(path);
    if (now > 0) done += static_cast<size_t>(now);
  }
}

}  // namespace

bool replaces(const NewFile& file) {
  if (!is_there(file.path)) return false;
  try {
    return common::read_file(file.path, file.text.size() + 1) != file.text;
  } catch (const common::ConfigError&) {
    return true;
  }
}

bool write_new(const NewFile& file) {
  const bool old = replaces(file);
  if (!old && is_there(file.path)) return false;
  const std::string directory = common::parent_of(file.path), fresh = file.path + ".new", kept = file.path + ".old";
  unlink(fresh.c_str());  // left by an init that was killed
  const common::Fd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) fail(file.path);
  write_all(fd.get(), file.text, fresh);
  if (fchmod(fd.get(), 0644) != 0 || fsync(fd.get()) != 0) fail(fresh);
  if (old && file.keep_old) {  // a second name for it, so that the first always exists
    unlink(kept.c_str());
    if (link(file.path.c_str(), kept.c_str()) != 0) fail(kept);
  }
  if (rename(fresh.c_str(), file.path.c_str()) != 0) fail(file.path);
  const common::Fd parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent || fsync(parent.get()) != 0) fail(directory);
  return old && file.keep_old;
}

}  // namespace relayd::admin
