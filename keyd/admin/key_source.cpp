#include "keyd/admin/key_source.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <unordered_set>

#include "common/operator/checks.h"
#include "common/tls/pem.h"
#include "common/tls/spki.h"
#include "keyd/admin/file_names.h"
#include "keyd/admin/key_scan.h"
#include "keyd/vault/key_pem.h"

namespace keyd::admin {
namespace {

constexpr std::string_view kKeyEnd = ".pem", kCertificateEnd = ".crt";

// A link may lead to another place beneath the directory, as all names do in a volume of a Kubernetes secret. Where
// systemd's RestrictSUIDSGID= forbids openat2(2), none is followed.
common::Fd open_beneath(int directory, const std::string& name) {
  constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;  // O_NONBLOCK: a FIFO must not block
  open_how how{};
  how.flags = kFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const long fd = syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how);
  if (fd >= 0 || errno != ENOSYS) return common::Fd(static_cast<int>(fd));
  return common::Fd(openat(directory, name.c_str(), kFlags | O_NOFOLLOW));
}

std::string why_not_opened(int error) {
  if (error == EXDEV || error == ELOOP)
    return "it is a link that leads out of its directory; name the file that is meant, or copy it there";
  if (error == ENXIO) return "it is a socket or a device";
  return std::string("it can't be opened: ") + strerror(error);
}

std::string last_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

KeyBytes::KeyBytes() : memory_(kMaxKeyFile + 1) {}

std::string KeyBytes::read(int fd) {
  memory_.wipe();
  size_ = 0;
  const auto room = memory_.bytes();
  size_t size = 0;
  while (size < room.size()) {
    const ssize_t got = ::read(fd, room.data() + size, room.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::string("it can't be read: ") + strerror(errno);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > kMaxKeyFile) {
    memory_.wipe();
    return "it is larger than 64 KiB";
  }
  size_ = size;
  return "";
}

std::string KeyBytes::read(int directory, const std::string& name) {
  memory_.wipe();
  size_ = 0;
  const common::Fd fd = open_beneath(directory, name);
  if (!fd) return why_not_opened(errno);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return strerror(errno);
  if (S_ISDIR(info.st_mode)) return "it is a directory";
  if (S_ISFIFO(info.st_mode)) return "it is a FIFO; pass its content on standard input: --as CLIENT_ID -";
  if (!S_ISREG(info.st_mode)) return "it is not a regular file";
  return read(fd.get());
}

KeySources::KeySources(const std::vector<std::string>& paths, const std::optional<std::string>& as) {
  for (const std::string& path : paths) add(path, as);
}

void KeySources::add(const std::string& path, const std::optional<std::string>& as) {
  if (as && path == "-") {
    files_.push_back({.name = path, .path = "standard input", .client_id = *as});
    return;
  }
  struct stat info {};
  const bool there = stat(path.c_str(), &info) == 0;
  KeySource file{.name = last_of(path), .path = path, .client_id = as ? *as : client_id_of(last_of(path))};
  if (!there) file.problem = std::string("it can't be opened: ") + strerror(errno);
  const bool directory = there && S_ISDIR(info.st_mode);
  if (directory && as) file.problem = "it is a directory; --as takes one file";
  if (file.problem.empty()) {
    // The operator named a file by its path, so a link there is meant: its own directory counts.
    std::string real = path;
    if (!directory) real = std::filesystem::canonical(path);
    file.name = last_of(real);
    const std::string folder = directory ? path : common::parent_of(real);
    common::Fd& opened = directories_[folder];
    if (!opened) opened.reset(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!opened) file.problem = folder + " can't be opened: " + strerror(errno);
    file.directory = opened.get();
    if (directory && file.problem.empty()) return add_all_of(file.directory, path);
  }
  files_.push_back(std::move(file));
}

void KeySources::add_all_of(int directory, const std::string& path) {
  std::vector<std::string> keys;
  std::unordered_set<std::string> certificates;
  uint64_t others = 0;
  FileNames names(directory, path);
  while (const char* next = names.next()) {
    std::string name = next;
    if (name.ends_with(kKeyEnd)) keys.push_back(std::move(name));
    else if (name.ends_with(kCertificateEnd)) certificates.insert(name.substr(0, name.size() - kCertificateEnd.size()));
    else others++;
  }
  std::ranges::sort(keys);
  const std::string prefix = path.ends_with('/') ? path : path + "/";
  for (std::string& name : keys) {
    certificates.erase(name.substr(0, name.size() - kKeyEnd.size()));
    std::string client_id = client_id_of(name), whole = prefix + name;
    files_.push_back({directory, std::move(name), std::move(whole), std::move(client_id)});
  }
  others_ += others + certificates.size();
}

Certified certified_in(std::string_view pem) {
  size_t at = 0;
  while (const auto block = common::tls::next_pem_block(pem, at)) {
    if (block->label != "CERTIFICATE" && block->label != "X509 CERTIFICATE" && block->label != "TRUSTED CERTIFICATE")
      continue;
    std::string problem;
    if (!block->body.data()) return {{}, "its certificate has no END line"};
    std::vector<uint8_t> der(block->body.size() + 1);
    const size_t size = decode_base64(pem, block->body, der, problem);
    const auto spki = common::tls::spki_hash(std::span<const uint8_t>(der).first(size));
    return spki ? Certified{*spki, ""} : Certified{{}, "its certificate can't be read"};
  }
  return {};
}

}  // namespace keyd::admin
