#include "keyd/admin/keys_directory.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "common/operator/checks.h"
#include "common/operator/command_failed.h"

namespace keyd::admin {
namespace {

std::string because(const char* what) { return std::string(what) + ": " + strerror(errno); }

bool write_all(int fd, std::span<const uint8_t> content) {
  while (!content.empty()) {
    const ssize_t now = ::write(fd, content.data(), content.size());
    if (now < 0 && errno != EINTR) return false;
    if (now > 0) content = content.subspan(static_cast<size_t>(now));
  }
  return true;
}

}  // namespace

KeysDirectory::KeysDirectory(const ConfiguredPath& keys_dir, uid_t service)
    : place_(open_keys_dir(keys_dir)), service_(service) {
  const passwd* user = getpwuid(service);
  group_ = user ? user->pw_gid : static_cast<gid_t>(-1);
}

void KeysDirectory::lock() {
  const auto fail = [&](const std::string& why) {
    throw common::CommandFailed(place_.path + ": " + why, common::kExitFailed);
  };
  if (geteuid() != 0 && geteuid() != service_)
    fail("its keys belong to keyd's user, " + common::user_name(service_) + "; run this as root");
  if (faccessat(descriptor(), ".", W_OK | X_OK, AT_EACCESS) != 0)
    fail(because("can't be changed") + "; run this as root");
  locked_.reset(openat(descriptor(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!locked_) fail(because("can't be opened"));
  if (flock(locked_.get(), LOCK_EX | LOCK_NB) != 0)
    fail(errno == EWOULDBLOCK ? "another mqtt-relay changes its keys now; repeat this when that has ended"
                              : because("can't be locked"));
  if (unlinkat(descriptor(), kFresh, 0) != 0 && errno != ENOENT)
    fail(because((std::string(kFresh) + " in it can't be removed").c_str()));
}

bool KeysDirectory::suits(const struct stat& info) const {
  const bool group_reads = (info.st_mode & S_IRWXG) == S_IRGRP && (info.st_gid == 0 || info.st_gid == group_);
  return S_ISREG(info.st_mode) && (info.st_uid == 0 || info.st_uid == service_) && !(info.st_mode & S_IRWXO) &&
         ((info.st_mode & S_IRWXG) == 0 || group_reads) &&
         // Root's file of mode 0600 is closed to keyd.
         (info.st_uid == service_ ? info.st_mode & S_IRUSR : info.st_mode & S_IRGRP);
}

std::string KeysDirectory::write_fresh(std::span<const uint8_t> content) {
  const common::Fd fd(openat(descriptor(), kFresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return because("it can't be created");
  if (!write_all(fd.get(), content)) return because("it can't be written");
  if (geteuid() == 0 && fchown(fd.get(), service_, group_) != 0) return because("it can't be given to keyd's user");
  // After fchown(2), because a umask does not only take away what others may do.
  if (fchmod(fd.get(), 0600) != 0) return because("its mode can't be set");
  return fsync(fd.get()) == 0 ? "" : because("it can't be flushed to the disk");
}

std::string KeysDirectory::install(const std::string& file, std::span<const uint8_t> content, bool replace) {
  std::string problem = write_fresh(content);
  if (problem.empty()) {
    if (renameat2(descriptor(), kFresh, descriptor(), file.c_str(), replace ? 0 : RENAME_NOREPLACE) == 0) return "";
    // Not every file system has that flag. A second name is the same.
    const bool placed = errno == EINVAL && !replace && linkat(descriptor(), kFresh, descriptor(), file.c_str(), 0) == 0;
    if (!placed) problem = because("it can't be put in place");
  }
  unlinkat(descriptor(), kFresh, 0);
  return problem;
}

bool KeysDirectory::remove(const std::string& file, std::string& problem) {
  if (unlinkat(descriptor(), file.c_str(), 0) == 0) return true;
  if (errno != ENOENT) problem = because("it can't be removed");
  return false;
}

void KeysDirectory::flush() {
  if (fsync(locked_.get()) != 0)
    throw std::system_error(errno, std::generic_category(), place_.path + " can't be flushed to the disk");
}

}  // namespace keyd::admin
