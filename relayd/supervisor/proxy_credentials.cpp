#include "relayd/supervisor/proxy_credentials.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "common/config.h"
#include "common/fd.h"

namespace relayd {
namespace {

constexpr size_t kMost = 255;  // bytes of user and password, each (RFC 1929)

// Empty if a file with this kind, owner and mode may hold a secret; else why not, and the remedy.
std::string why_unsafe(const struct stat& info, const std::string& file) {
  const std::string self = std::to_string(geteuid());
  if (!S_ISREG(info.st_mode)) return "it is not a regular file";
  if (info.st_uid != 0 && info.st_uid != geteuid())
    return "its owner is uid " + std::to_string(info.st_uid) + ", neither root nor relayd's user (uid " + self +
           "): `chown " + self + " '" + file + "'`";
  if ((info.st_mode & (S_IWGRP | S_IXGRP | S_IRWXO)) == 0) return "";
  char mode[8];
  snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(info.st_mode & 07777));
  return std::string("its mode ") + mode + " opens it to others: `chmod 640 '" + file + "'`";
}

// Empty if this is "user:password"; else what it should be.
std::string why_malformed(const std::string& line) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  const size_t colon = line.find(':');
  const size_t user = std::min(colon, line.size()), password = line.size() - std::min(user + 1, line.size());
  if (user >= 1 && user <= kMost && password >= 1 && password <= kMost && std::ranges::none_of(line, control))
    return "";
  return "expected one line, USER:PASSWORD, each of 1 to 255 bytes without control characters";
}

}  // namespace

std::string read_proxy_credentials(const std::string& config_file, const Config& config) {
  if (!config.remote.proxy || config.remote.proxy->credentials_file.empty()) return "";
  const std::string& file = config.remote.proxy->credentials_file;
  const auto fail = [&](const std::string& why) {
    throw common::ConfigError(config_file + ": remote.proxy.credentials_file: " + file + ": " + why);
  };
  // O_NONBLOCK: a FIFO must not hang the start.
  const common::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) fail(std::string("can't be read: ") + strerror(errno) + common::about_missing_credential(file));
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) fail(strerror(errno));
  if (const std::string unsafe = why_unsafe(info, file); !unsafe.empty()) fail(unsafe);
  char bytes[2 * kMost + 3];  // with the colon, a line's end, and one more
  const ssize_t got = ::read(fd.get(), bytes, sizeof bytes);
  if (got < 0) fail(std::string("can't be read: ") + strerror(errno));
  std::string line(bytes, static_cast<size_t>(got));
  if (line.ends_with('\n')) line.pop_back();
  if (const std::string malformed = why_malformed(line); !malformed.empty()) fail(malformed);
  return line;
}

}  // namespace relayd
