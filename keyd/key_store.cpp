#include "keyd/key_store.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "common/log.h"
#include "ipc/codec.h"

namespace keyd {
namespace {

using ipc::Status;

constexpr size_t kMaxKeyFile = 64 * 1024;

int64_t nanoseconds(const timespec& time) { return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec; }

int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return nanoseconds(now);
}

common::Fd open_beneath(int directory, const std::string& file) {
  open_how how{};
  how.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;  // O_NONBLOCK: a FIFO must not hold us
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return common::Fd(static_cast<int>(syscall(SYS_openat2, directory, file.c_str(), &how, sizeof how)));
}

std::string who() { return "keyd's user (uid " + std::to_string(geteuid()) + ")"; }

std::string why_not_opened(int error, const std::string& path) {
  if (error == ELOOP) return "it is a symbolic link, and links are not followed; put the file itself there";
  if (error == EACCES) return who() + " may not read it: `chown " + std::to_string(geteuid()) + " '" + path + "'`";
  if (error == ENXIO) return "it is a socket or a device";
  return strerror(error);
}

// Empty if a file with this owner and mode may hold a key.
std::string unsafe(const struct stat& info, const std::string& path) {
  if (!S_ISREG(info.st_mode)) return S_ISDIR(info.st_mode) ? "it is a directory" : "it is not a regular file";
  if (info.st_uid != 0 && info.st_uid != geteuid())
    return "its owner is uid " + std::to_string(info.st_uid) + ", neither root nor " + who() + ": `chown " +
           std::to_string(geteuid()) + " '" + path + "'`";
  // Reading by the group is how systemd gives credentials (0440); everything else is for the owner alone.
  if (info.st_mode & (S_IWGRP | S_IXGRP | S_IRWXO)) {
    char mode[8];
    snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(info.st_mode & 07777));
    return std::string("its mode ") + mode + " opens it to others: `chmod 600 '" + path + "'`";
  }
  if (info.st_size > static_cast<off_t>(kMaxKeyFile)) return "it is larger than 64 KiB";
  return "";
}

common::Fd open_directory(const std::string& path, const ConfiguredPath& from, int wanted, const char* remedy) {
  const auto fail = [&](const std::string& cause) {
    throw std::runtime_error(from.origin + ": found \"" + from.path + "\"; directory " + path + ": " + cause);
  };
  common::Fd fd(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (const int error = errno; !fd)
    fail(std::string(strerror(error)) + "; " + (error == ENOTDIR ? "name a directory" : remedy));
  if (faccessat(fd.get(), ".", wanted, AT_EACCESS) != 0)
    fail(std::string(strerror(errno)) + " for " + who() + "; let it in");
  struct stat info {};
  if (fstat(fd.get(), &info) == 0 && (info.st_mode & S_IWOTH) && !(info.st_mode & S_ISVTX))
    fail("everybody may write there: `chmod o-w '" + path + "'`");
  return fd;
}

}  // namespace

KeyStore::KeyStore(const ConfiguredPath& keys_dir, const ConfiguredPath& listener, size_t cache_size,
                   SecureSlots& slots, std::chrono::nanoseconds settled_after)
    : keys_dir_(keys_dir.path),
      listener_origin_(listener.origin),
      slots_(slots),
      file_(kMaxKeyFile),
      cache_size_(cache_size),
      settled_after_(settled_after) {
  keys_fd_ = open_directory(keys_dir.path, keys_dir, R_OK | X_OK,
                            "create it and put each device's key into it as CLIENTID.pem");
  const size_t slash = listener.path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : listener.path.substr(0, slash);
  listener_fd_ = open_directory(parent, listener, X_OK, "set it to the PEM file of relayd's own private key");
  listener_.file = listener.path.substr(slash + 1);  // npos + 1 == 0
  listener_.path = listener.path;
}

void KeyStore::check_listener() {
  const Found found = look(listener_fd_.get(), listener_);
  if (found.key) return;
  throw std::runtime_error(listener_origin_ + ": found \"" + listener_.path + "\": " +
                           (found.status == Status::not_found
                                ? "there is no such file; set it to the PEM file of relayd's own private key"
                                : found.reason));
}

KeyStore::Found KeyStore::find(ipc::Role role, std::string_view client_id) {
  if (role == ipc::Role::listener) return look(listener_fd_.get(), listener_);
  if (!ipc::can_name_a_key(client_id)) return {Status::not_found, nullptr, "no file can have that name"};
  const std::string file = std::string(client_id) + ".pem";
  const auto known = by_file_.find(file);
  if (known != by_file_.end()) {
    entries_.splice(entries_.begin(), entries_, known->second);
  } else {
    // A name that has no file must not push a key out of the cache.
    struct stat info {};
    if (fstatat(keys_fd_.get(), file.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 &&
        (errno == ENOENT || errno == ENAMETOOLONG))
      return {Status::not_found, nullptr, ""};
    entries_.emplace_front().file = file;
    entries_.front().path = keys_dir_ + "/" + file;
    by_file_.emplace(entries_.front().file, entries_.begin());
    if (entries_.size() > cache_size_) {
      by_file_.erase(entries_.back().file);
      entries_.pop_back();
    }
  }
  Found found = look(keys_fd_.get(), entries_.front());
  if (found.status == Status::not_found) {
    by_file_.erase(entries_.front().file);
    entries_.pop_front();
  }
  return found;
}

KeyStore::Found KeyStore::look(int directory, Entry& entry) {
  struct stat info {};
  if (fstatat(directory, entry.file.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    entry.settled = false;
    if (errno == ENOENT) {
      entry.key.reset();
      return {};
    }
  }
  if (!entry.settled || id_of(info) != entry.seen) load(directory, entry);
  if (entry.key) return {Status::ok, entry.key, ""};
  return {Status::unusable, nullptr, entry.problem};
}

// Replaces what the entry holds by what the file holds now, and logs a new problem.
void KeyStore::load(int directory, Entry& entry) {
  const FileId before = entry.seen;
  const std::string old_problem = std::exchange(entry.problem, "");
  entry.key.reset();
  read(directory, entry);
  entry.settled = now_ns() - entry.seen.changed_ns > settled_after_.count();
  if (!entry.problem.empty() && (entry.problem != old_problem || before != entry.seen))
    common::log::warning("a key file can't be used", {{"file", entry.path}, {"problem", entry.problem}});
}

void KeyStore::read(int directory, Entry& entry) {
  const common::Fd fd = open_beneath(directory, entry.file);
  const int error = errno;
  struct stat info {};
  if (fd ? fstat(fd.get(), &info) != 0 : fstatat(directory, entry.file.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    info = {};
  entry.seen = id_of(info);
  entry.problem = fd ? unsafe(info, entry.path) : why_not_opened(error, entry.path);
  if (!entry.problem.empty()) return;
  const auto file = file_.bytes();
  size_t size = 0;
  ssize_t got = 1;
  while (size < file.size() && (got = ::read(fd.get(), file.data() + size, file.size() - size)) > 0) size += got;
  if (got < 0) entry.problem = std::string("it can't be read: ") + strerror(errno);
  else entry.key = PrivateKey::parse(file.first(size), slots_, entry.problem);
  file_.wipe();
  // Somebody who writes into the file in place may have been seen halfway: such a key does not count.
  if (fstat(fd.get(), &info) != 0 || id_of(info) != entry.seen) {
    entry.key.reset();
    entry.seen = {};
    entry.problem = "it was changed while it was read; replace key files by rename";
  }
}

KeyStore::FileId KeyStore::id_of(const struct stat& info) {
  return {info.st_dev, info.st_ino, static_cast<uint64_t>(info.st_size), nanoseconds(info.st_mtim),
          nanoseconds(info.st_ctim)};
}

}  // namespace keyd
