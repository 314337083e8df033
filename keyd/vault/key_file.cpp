#include "keyd/vault/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/fd.h"

namespace keyd {
namespace {

int64_t nanoseconds(const timespec& time) { return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec; }

// Not openat2(2) with RESOLVE_BENEATH: systemd's RestrictSUIDSGID=, which can't look into its arguments, forbids it.
// For a name without a slash, O_NOFOLLOW is equivalent.
common::Fd open_beneath(int directory, const std::string& file) {
  errno = ENOENT;
  if (file.find('/') != file.npos || file == "..") return {};
  constexpr int kFlags =
      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;  // O_NONBLOCK: a FIFO must not block
  return common::Fd(openat(directory, file.c_str(), kFlags));
}

std::string user() { return "keyd's user (uid " + std::to_string(geteuid()) + ")"; }

std::string why_not_opened(int error, const std::string& path) {
  if (error == ELOOP) return "it is a symbolic link, and links are not followed; put the file itself there";
  if (error == EACCES) return user() + " may not read it: `chown " + std::to_string(geteuid()) + " '" + path + "'`";
  if (error == ENXIO) return "it is a socket or a device";
  return strerror(error);
}

}  // namespace

std::string why_unsafe(const struct stat& info, const std::string& path) {
  if (!S_ISREG(info.st_mode)) return S_ISDIR(info.st_mode) ? "it is a directory" : "it is not a regular file";
  if (info.st_uid != 0 && info.st_uid != geteuid())
    return "its owner is uid " + std::to_string(info.st_uid) + ", neither root nor " + user() + ": `chown " +
           std::to_string(geteuid()) + " '" + path + "'`";
  char mode[8];
  snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(info.st_mode & 07777));
  if (info.st_mode & (S_IWGRP | S_IXGRP | S_IRWXO))
    return std::string("its mode ") + mode + " opens it to others: `chmod 600 '" + path + "'`";
  // systemd passes credentials as root:root with mode 0440.
  if ((info.st_mode & S_IRGRP) && info.st_gid != 0 && info.st_gid != getegid())
    return std::string("its mode ") + mode + " opens it to its group, gid " + std::to_string(info.st_gid) +
           "; allowed are root's and keyd's (gid " + std::to_string(getegid()) + "): `chgrp " +
           std::to_string(getegid()) + " '" + path + "'`, or `chmod 600 '" + path + "'`";
  if (info.st_size > static_cast<off_t>(kMaxKeyFile)) return "it is larger than 64 KiB";
  return "";
}

FileState FileState::of(const struct stat& info) {
  return {info.st_dev, info.st_ino, static_cast<uint64_t>(info.st_size), nanoseconds(info.st_mtim),
          nanoseconds(info.st_ctim)};
}

KeyReader::KeyReader(SecureSlots& slots, std::string_view passphrase)
    : slots_(slots), passphrase_(passphrase), file_(kMaxKeyFile) {}

KeyFile KeyReader::read(int directory, const std::string& name, const std::string& path, bool opens) {
  KeyFile result;
  const common::Fd fd = open_beneath(directory, name);
  const int error = errno;
  struct stat info {};
  if (fd ? fstat(fd.get(), &info) != 0 : fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) info = {};
  result.state = FileState::of(info);
  result.mode = info.st_mode;
  result.problem = fd ? why_unsafe(info, path) : why_not_opened(error, path);
  result.forbidden = !result.problem.empty();
  if (result.forbidden) return result;
  const auto bytes = file_.bytes();
  size_t size = 0;
  ssize_t got = 1;
  while (size < bytes.size() && (got = ::read(fd.get(), bytes.data() + size, bytes.size() - size)) > 0) size += got;
  if (got < 0) result.problem = std::string("it can't be read: ") + strerror(errno);
  const auto passphrase = opens ? std::optional(passphrase_) : std::nullopt;
  if (result.problem.empty()) result.key = PrivateKey::parse(bytes.first(size), passphrase, slots_, result.problem);
  result.sealed = result.problem == PrivateKey::kSealed;
  result.shortage = result.problem == kNoLockedMemory;
  file_.wipe();
  wipe_stack();
  // Refuses a key that a program may be rewriting in place.
  if (fstat(fd.get(), &info) != 0 || FileState::of(info) != result.state) {
    result.key = nullptr;
    result.state = {};
    result.sealed = result.shortage = false;
    result.problem = "it was changed while it was read; replace key files by rename";
  }
  return result;
}

}  // namespace keyd
