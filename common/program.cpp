#include "common/program.h"

#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace common {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

std::string own_folder() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  if (size <= 0) fail("readlink /proc/self/exe");
  const std::string_view whole(path, static_cast<size_t>(size));
  return std::string(whole.substr(0, whole.rfind('/')));
}

// The dynamic loader that started this program; all our programs use the same one. Empty: the program is static.
std::string loader() {
  std::string path;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {  // the program itself comes first
        for (int i = 0; i < info->dlpi_phnum; i++)
          if (info->dlpi_phdr[i].p_type == PT_INTERP)
            *static_cast<std::string*>(out) =
                reinterpret_cast<const char*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        return 1;
      },
      &path);
  return path;
}

}  // namespace

Program::Program(const std::string& name) {
  const std::string own = own_folder(), libexec = own + "/../libexec/";
  std::string tried;
  for (const std::string& path : {libexec + "mqtt-relay/" + name, libexec + name, own + "/" + name}) {
    file_.reset(open(path.c_str(), O_PATH | O_CLOEXEC));
    path_ = path;
    if (file_ && faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0) return;
    tried += (tried.empty() ? "" : "; ") + path + ": " + strerror(errno);
  }
  throw std::runtime_error("can't execute " + name + ": " + tried + "; reinstall mqtt-relay");
}

std::string Program::execute(int file, const char* name) {
  char* const arguments[] = {const_cast<char*>(name), nullptr};
#if defined(MQTT_RELAY_SANITIZED)  // the sanitizer's options
  char** const environment = environ;
#else
  char* environment[] = {nullptr};
#endif
  syscall(SYS_execveat, file, "", arguments, environment, AT_EMPTY_PATH);
  return strerror(errno);
}

std::string Program::become(const std::vector<std::string>& arguments) const {
  std::vector<char*> words{const_cast<char*>(path_.c_str())};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  execv(path_.c_str(), words.data());
  return strerror(errno);
}

Fd sealed(std::string_view bytes) {
  Fd fd(memfd_create("mqtt-relay", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) fail("memfd_create");
  while (!bytes.empty()) {
    const ssize_t written = write(fd.get(), bytes.data(), bytes.size());
    if (written < 0) fail("write to a memfd");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) fail("F_ADD_SEALS");
  return fd;
}

std::string read_sealed(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0) fail("fstat of a memfd");
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t got = pread(fd, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (got <= 0) fail("read of a memfd");
    at += static_cast<size_t>(got);
  }
  return bytes;
}

LoaderFiles::LoaderFiles(int program) : rules_{{program, FileRule::run}} {
  add(loader(), FileRule::run);
  add("/etc/ld.so.cache", FileRule::read_file);
  for (const char* folder : {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"}) add(folder, FileRule::read);
#if defined(MQTT_RELAY_SANITIZED)  // a sanitizer reads /proc/self/maps
  add("/proc", FileRule::read);
#endif
}

void LoaderFiles::add(const std::string& path, FileRule::Right right) {
  Fd file(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!file) return;  // not every system has all of them
  rules_.push_back({file.get(), right});
  files_.push_back(std::move(file));
}

CallList calls_of_start() {
  using namespace calls;
  // clang-format off
  return {
      "execveat",                                                                         // the start itself
      "mmap", "mprotect",                                                                 // memory, with the program's code
      "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64",            // libc's start
      "uname", "sysinfo", "sched_getaffinity",                                            // libc's start: sizes
      "openat", "open", "read", "pread64", "lseek", "close", "statx",
      "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd",            // the loader's files
      "getuid", "geteuid", "getgid", "getegid",                                           // the process's ids
      fcntl_command(F_GETFD), fcntl_command(F_SETFD), fcntl_command(F_GETFL),             // what it inherits
      fcntl_command(F_DUPFD_CLOEXEC),
      {"prctl", is(0, PR_SET_NAME)}, {"prctl", is(0, PR_SET_PDEATHSIG)},
      {"prctl", is(0, PR_SET_DUMPABLE), is_null(1)}, {"prctl", is(0, PR_SET_NO_NEW_PRIVS)},  // the program's own sandbox
      "seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
  };
  // clang-format on
}

}  // namespace common
