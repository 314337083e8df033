#include "keyd/startup/key_places.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "common/not_yet.h"

namespace keyd {
namespace {

constexpr char kRemedy[] = "set it to the PEM file of relayd's own private key";

common::Fd open_directory(const std::string& path, const ConfiguredPath& from, int wanted, const std::string& remedy) {
  const std::string found = from.origin + ": found \"" + from.path + "\"; directory " + path + ": ";
  const auto fail = [&](const std::string& cause) { throw common::ConfigError(found + cause); };
  common::Fd fd(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (const int error = errno; !fd) {
    const std::string credential = error == ENOENT ? common::about_missing_credential(from.path) : "";
    const std::string cause = std::string(strerror(error)) + "; " + (error == ENOTDIR ? "name a directory" : remedy);
    if (error == ENOENT && credential.empty())
      throw common::NotYet(found + cause);  // a file system that is mounted late
    fail(cause + credential);
  }
  if (faccessat(fd.get(), ".", wanted, AT_EACCESS) != 0)
    fail(std::string(strerror(errno)) + " for keyd's user (uid " + std::to_string(geteuid()) + "); let it in");
  struct stat info {};
  if (fstat(fd.get(), &info) == 0 && (info.st_mode & S_IWOTH) && !(info.st_mode & S_ISVTX))
    fail("any user can write there: `chmod o-w '" + path + "'`");
  return fd;
}

}  // namespace

KeyStore::Place open_keys_dir(const ConfiguredPath& keys_dir) {
  return {open_directory(keys_dir.path, keys_dir, R_OK | X_OK,
                         "create it and put each device's key into it as CLIENTID.pem"),
          keys_dir.path};
}

std::vector<OwnKeyfile> own_keyfiles(const Settings& settings) {
  std::vector<OwnKeyfile> all;
  for (const ConfiguredPath& file : settings.listener_keyfiles) all.push_back({file, ipc::Role::listener});
  if (settings.local_keyfile) all.push_back({*settings.local_keyfile, ipc::Role::local});
  return all;
}

KeyStore::Place open_own_key_dir(const ConfiguredPath& file, ipc::Role role) {
  const size_t slash = file.path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : file.path.substr(0, slash);
  return {open_directory(parent, file, X_OK, kRemedy), file.path, role};
}

void keep_apart(const KeyStore::Place& keys, const KeyStore::Place& own, const ConfiguredPath& file) {
  constexpr std::string_view kEnd = ".pem";
  struct stat of_keys {
  }, of_own{};
  const std::string name = own.path.substr(own.path.rfind('/') + 1);
  if (!name.ends_with(kEnd) || fstat(keys.directory.get(), &of_keys) != 0 || fstat(own.directory.get(), &of_own) != 0 ||
      of_keys.st_dev != of_own.st_dev || of_keys.st_ino != of_own.st_ino)
    return;
  throw common::ConfigError(file.origin + ": found \"" + file.path +
                            "\": it is in private_keys_dir, and so also the key of a device named \"" +
                            name.substr(0, name.size() - kEnd.size()) +
                            "\"; move it to another directory, such as /etc/mqtt-relay");
}

void expect_own_key(KeyStore& keys, const OwnKeyfile& own) {
  const ConfiguredPath& file = own.file;
  const auto found = keys.find(own.role, file.path);
  if (found.status == ipc::Status::unusable)
    throw common::ConfigError(file.origin + ": found \"" + file.path + "\": " + found.reason);
  if (found.status != ipc::Status::not_found) return;
  const std::string credential = common::about_missing_credential(file.path);
  // By number, because the sandbox hides the user database.
  const std::string install = "install -o " + std::to_string(geteuid()) + " -m 600 " +
                              (own.role == ipc::Role::listener ? "LISTENER.key '" : "LOCAL.key '") + file.path +
                              "'; it is used at once, without a restart";
  common::log::warning(
      "own_key_missing",
      own.role == ipc::Role::listener
          ? "there is no listener key: devices can't connect to its listener until it is installed"
          : "there is no key for the local broker: devices without a key can't connect until it is installed",
      {{"setting", file.origin}, {"file", file.path}, {"do", credential.empty() ? install : credential.substr(2)}});
}

Passphrase::Passphrase(const std::optional<ConfiguredPath>& file) {
  if (!file) return;
  constexpr size_t kMost = 1024;
  const auto fail = [&](const std::string& cause) {
    throw common::ConfigError(file->origin + ": found \"" + file->path + "\": " + cause);
  };
  const common::Fd fd(open(file->path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  struct stat info {};
  if (!fd || fstat(fd.get(), &info) != 0)
    fail(strerror(errno) + (errno == ENOENT ? common::about_missing_credential(file->path) : ""));
  if (const std::string problem = why_unsafe(info, file->path); !problem.empty()) fail(problem);
  memory_.emplace(kMost);
  const ssize_t got = read(fd.get(), memory_->bytes().data(), kMost);
  if (got < 0) fail(strerror(errno));
  const std::string_view all(reinterpret_cast<const char*>(memory_->bytes().data()), static_cast<size_t>(got));
  text_ = all.substr(0, all.find_first_of("\r\n"));
  if (text_.empty()) fail("its first line is empty; it must be the passphrase of the keys");
  if (text_.size() == kMost) fail("its first line is longer than 1023 bytes");
}

}  // namespace keyd
