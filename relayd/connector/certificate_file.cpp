#include "relayd/connector/certificate_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace relayd::connector {
namespace {

using Found = channel::CertificateAnswer::Found;

struct Opened {
  common::Fd fd;
  int error = 0;
  bool no_links = false;  // openat2(2) is not there
};

// Where systemd's RestrictSUIDSGID= forbids openat2(2), no link is followed.
Opened open_beneath(int directory, const std::string& name) {
  constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;  // O_NONBLOCK: a FIFO must not block
  open_how how{};
  how.flags = kFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const long fd = syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how);
  if (fd >= 0) return {common::Fd(static_cast<int>(fd))};
  if (errno != ENOSYS && errno != EPERM) return {{}, errno};
  const int other = openat(directory, name.c_str(), kFlags | O_NOFOLLOW);
  return {common::Fd(other), other < 0 ? errno : 0, true};
}

// Its kind, as in st_mode; 0: there is no such name.
mode_t kind_of(int directory, const std::string& name) {
  struct stat info {};
  return fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 ? info.st_mode & S_IFMT : 0;
}

channel::CertificateAnswer unusable(std::string why) { return {Found::unusable, std::move(why), {}}; }

channel::CertificateAnswer not_opened(int directory, const std::string& name, const Opened& opened) {
  switch (opened.error) {
    case ENOENT:
      if (kind_of(directory, name) == S_IFLNK) return unusable("it is a link to a file that does not exist");
      return {};
    case EXDEV: return unusable("it is a link that leads out of remote.certs_dir; copy the file there");
    case ELOOP:
      if (!opened.no_links) return unusable("it is a link that leads to itself, or into /proc");
      return unusable(
          "it is a link, and none is followed where openat2(2) is forbidden, as by systemd's RestrictSUIDSGID=; copy "
          "the file there");
    case ENXIO: return unusable("it is a socket or a device");
    case EACCES:  // also of a directory, which this process may not list
      if (kind_of(directory, name) == S_IFDIR) return unusable("it is a directory");
      return unusable("it can't be opened: Permission denied; relayd's user must be able to read it");
    default: return unusable(std::string("it can't be opened: ") + strerror(opened.error));
  }
}

// "": this is a file to read.
std::string why_not_read(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return std::string("it can't be read: ") + strerror(errno);
  if (S_ISREG(info.st_mode)) return "";
  if (S_ISDIR(info.st_mode)) return "it is a directory";
  return S_ISFIFO(info.st_mode) ? "it is a FIFO" : "it is not a regular file";
}

// Reads to the end, or to one byte more than is allowed. "": `text` has it.
std::string read_all(int fd, std::string& text) {
  text.resize(channel::kMaxCertificateFile + 1);
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::string("it can't be read: ") + strerror(errno);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  text.resize(size);
  return "";
}

// "": a worker may have this text.
std::string why_kept_back(const std::string& text) {
  if (text.empty()) return "it is empty";
  if (text.size() > channel::kMaxCertificateFile) return "it is larger than 32 KiB";
  // RFC 7468 sections 10, 11 and 13, and what OpenSSL calls its older forms: all end in these words.
  if (text.find("PRIVATE KEY") != text.npos)
    return "it holds a private key, which belongs in keyd's private_keys_dir only; leave only certificates in this "
           "file";
  if (text.find("-----BEGIN ") == text.npos)
    return "it is not PEM text, which has \"-----BEGIN CERTIFICATE-----\"; `openssl x509 -inform DER` converts a "
           "certificate in DER";
  return "";
}

}  // namespace

common::Fd open_certificates(const std::string& certs_dir) {
  common::Fd directory(::open(certs_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) throw std::system_error(errno, std::generic_category(), "remote.certs_dir " + certs_dir);
  return directory;
}

channel::CertificateAnswer read_certificate(int directory, const std::string& client_id) {
  const std::string name = client_id + ".crt";
  const Opened opened = open_beneath(directory, name);
  if (!opened.fd) return not_opened(directory, name, opened);
  if (std::string why = why_not_read(opened.fd.get()); !why.empty()) return unusable(std::move(why));
  std::string text, why = read_all(opened.fd.get(), text);
  if (why.empty()) why = why_kept_back(text);
  if (why.empty()) return {Found::file, "", std::move(text)};
  explicit_bzero(text.data(), text.size());  // it may hold a key
  return unusable(std::move(why));
}

}  // namespace relayd::connector
