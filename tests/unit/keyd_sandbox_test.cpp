// What the process with the keys can't do even if an attacker controls it. A child that has entered its sandbox tries.
#include "keyd/startup/sandbox.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "common/fd.h"
#include "common/hardening.h"
#include "common/log.h"
#include "common/operator/checks.h"
#include "keyd/startup/audit_file.h"
#include "keyd/startup/key_places.h"
#include "keyd_support.h"
#include "tests/unit/catch.h"

#if !defined(MQTT_RELAY_SANITIZED)  // its runtime needs other system calls

namespace {

constexpr int kKilled = 1000;  // by the filter, SIGSYS

// errno of `attempt` after `give_up`, 0 if it succeeded, kKilled if it killed the child.
int tried_after(const std::function<bool()>& give_up, const std::function<long()>& attempt) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (!give_up()) _exit(255);
    errno = 0;
    _exit(attempt() >= 0 ? 0 : errno);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) return kKilled;
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

int tried_inside(const std::function<long()>& attempt) {
  return tried_after(
      [] {
        common::harden_process();
        return keyd::confine_system_calls().empty();
      },
      attempt);
}

long run_true() {
  char program[] = "/bin/true";
  char* arguments[] = {program, nullptr};
  return execve(program, arguments, environ);
}

long socket_of(int family, int type = SOCK_STREAM) { return socket(family, type | SOCK_CLOEXEC, 0); }

long map(int protection) {
  return mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

}  // namespace

TEST_CASE("keyd is killed at once if it executes a program, forks or traces", "[keyd][sandbox]") {
  CHECK(tried_inside(run_true) == kKilled);
  CHECK(tried_inside([] { return syscall(SYS_execveat, AT_FDCWD, "/bin/true", nullptr, nullptr, 0); }) == kKilled);
  CHECK(tried_inside([] { return ptrace(PTRACE_ATTACH, getppid(), nullptr, nullptr); }) == kKilled);
  CHECK(tried_inside([] { return syscall(SYS_process_vm_readv, getppid(), nullptr, 0, nullptr, 0, 0); }) == kKilled);
#ifdef SYS_fork  // aarch64 has no fork
  CHECK(tried_inside([] { return syscall(SYS_fork); }) == kKilled);
#endif
}

TEST_CASE("keyd can use no network, start no process and make no executable memory", "[keyd][sandbox]") {
  CHECK(tried_inside([] { return socket_of(AF_UNIX, SOCK_DGRAM); }) == 0);  // sd_notify(3)
  CHECK(tried_inside([] { return socket_of(AF_UNIX); }) == EPERM);
  for (const int family : {AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK})
    CHECK(tried_inside([=] { return socket_of(family); }) == EPERM);
  CHECK(tried_inside([] { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }) == EPERM);
  CHECK(tried_inside([] { return map(PROT_READ | PROT_WRITE); }) == 0);
  CHECK(tried_inside([] { return map(PROT_READ | PROT_EXEC); }) == EPERM);
}

TEST_CASE("keyd changes no descriptor that it shares with others", "[keyd][sandbox]") {
  const int off = 0;
  for (const int command : {F_SETFL, F_SETOWN, F_SETSIG, F_SETLEASE, F_DUPFD_CLOEXEC, F_ADD_SEALS})
    CHECK(tried_inside([=] { return fcntl(STDERR_FILENO, command, 0); }) == EPERM);
  CHECK(tried_inside([&] { return ioctl(STDERR_FILENO, FIONBIO, &off); }) == ENOTTY);
  CHECK(tried_inside([&] { return ioctl(STDERR_FILENO, TIOCSTI, "x"); }) == EPERM);
  CHECK(tried_inside([] { return fcntl(STDERR_FILENO, F_GETFL) < 0 ? -1 : 0; }) == 0);
}

TEST_CASE("keyd removes, renames and chmods no file, kills no process, and keeps its user", "[keyd][sandbox]") {
  CHECK(tried_inside([] { return unlink("/tmp/keyd-sandbox-test"); }) == EPERM);
  CHECK(tried_inside([] { return rename("/tmp/keyd-sandbox-test", "/tmp/keyd-sandbox-test-2"); }) == EPERM);
  CHECK(tried_inside([] { return chmod("/tmp", 01777); }) == EPERM);
  CHECK(tried_inside([] { return kill(getppid(), 0); }) == EPERM);
  CHECK(tried_inside([] { return syscall(SYS_tgkill, getpid(), gettid(), 0); }) == 0);
  CHECK(tried_inside([] { return syscall(SYS_tgkill, getppid(), getppid(), 0); }) == EPERM);
  CHECK(tried_inside([] { return setuid(0); }) == EPERM);
  CHECK(tried_inside([] { return syscall(SYS_unshare, 0x10000000); }) == EPERM);
}

TEST_CASE("keyd reads only in the directories of its keys, and writes only in that of its audit", "[keyd][sandbox]") {
  if (common::landlock_abi() < 3) {
    WARN("SKIPPED: this kernel has no Landlock, or an old one, which does not forbid truncating");
    return;
  }
  const keyd_test::ScratchDir scratch, audits, elsewhere;
  std::filesystem::create_directory(scratch / "keys");
  chmod((scratch / "keys").c_str(), 0700);
  const auto pem = witness::Key::generate("P-256").text(witness::Form::pkcs8);
  const std::string key = scratch.put("keys/thermo.pem", pem), listener_key = scratch.put("listener.key", pem);
  const std::string file = elsewhere.put("file", "text"), audit_path = audits.put("audit", "");
  const keyd::ConfiguredPath keys_dir{scratch / "keys", "keyd.json: private_keys_dir"},
      listener{listener_key, "keyd.json: listener_keyfile"}, audit_file{audit_path, "keyd.json: audit_file"};

  std::optional<keyd::AuditFile> audit;
  std::optional<keyd_test::Vault> vault;
  std::optional<keyd::KeyStore> keys;
  // In the order of keyd::serve(). In the child, which inherits no locked memory.
  const auto as_keyd = [&] {
    audit = keyd::open_audit_file(audit_file);
    auto keys_place = keyd::open_keys_dir(keys_dir);
    std::vector<keyd::KeyStore::Place> listener_places;
    listener_places.push_back(keyd::open_own_key_dir(listener));
    common::harden_process();
    vault.emplace();
    const auto files = common::forbid_files(keyd::what_stays_allowed(keys_place, listener_places, audit));
    keys.emplace(std::move(keys_place), std::move(listener_places), vault->slots, vault->slots,
                 keyd::KeyStore::Options{});
    return files.empty() && keyd::confine_system_calls().empty();
  };
  const auto nothing = [] { return true; };
  const auto opens = [](const std::string& path, int how) {
    return [=] { return static_cast<long>(open(path.c_str(), how | O_CLOEXEC, 0600)); };
  };

  // What serving needs works, by keyd's own code.
  const auto finds = [&](ipc::Role role, const char* id) {
    return [&keys, role, id] { return keys->find(role, id).status == ipc::Status::ok ? 0L : -1L; };
  };
  CHECK(tried_after(as_keyd, finds(ipc::Role::device, "thermo")) == 0);
  CHECK(tried_after(as_keyd, finds(ipc::Role::listener, "")) == 0);
  CHECK(tried_after(as_keyd, [&] { return audit->open() ? 0L : -1L; }) == 0);

  struct Attempt {
    std::string path;
    int how;
  };
  for (const auto& [path, how] :
       {Attempt{key, O_WRONLY}, Attempt{key, O_RDWR}, Attempt{key, O_WRONLY | O_TRUNC},
        Attempt{scratch / "keys/new.pem", O_WRONLY | O_CREAT}, Attempt{listener_key, O_WRONLY},
        Attempt{scratch / "new", O_WRONLY | O_CREAT}, Attempt{audit_path, O_RDONLY},
        Attempt{audit_path, O_WRONLY | O_TRUNC}, Attempt{file, O_RDONLY}, Attempt{file, O_WRONLY},
        Attempt{elsewhere / "new", O_WRONLY | O_CREAT}, Attempt{"/etc/passwd", O_RDONLY}, Attempt{"/", O_RDONLY},
        Attempt{"/proc/self/maps", O_RDONLY}}) {
    CAPTURE(path, how);
    CHECK(tried_after(as_keyd, opens(path, how)) == EACCES);
    CHECK(tried_after(nothing, opens(path, how)) == 0);  // positive control
  }
}

#endif

namespace {

// The log of a child that runs `steps`; its state belongs to a process.
std::vector<nlohmann::json> logged_by(const std::function<void()>& steps) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const common::Fd read_end(ends[0]);
  common::Fd write_end(ends[1]);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(write_end.get(), STDERR_FILENO);
    common::log::open("mqtt-keyd");
    steps();
    common::log::finish();
    _exit(0);
  }
  write_end.reset();
  std::string text;
  char bytes[4096];
  for (ssize_t got; (got = read(read_end.get(), bytes, sizeof bytes)) > 0;)
    text.append(bytes, static_cast<size_t>(got));
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  std::vector<nlohmann::json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

}  // namespace

TEST_CASE("a missing part of the sandbox is fatal if the sandbox is required, and logged if not", "[keyd][sandbox]") {
  CHECK_NOTHROW(common::accept_sandbox(std::vector<std::string>{"", ""}, true));
  CHECK(logged_by([] { common::accept_sandbox(std::vector<std::string>{"", ""}, false); }).empty());
  const auto lines = logged_by([] {
    common::accept_sandbox(std::vector<std::string>{"memfd_secret: no", "", "Landlock is off"}, false);
  });
  REQUIRE(lines.size() == 2);
  for (const auto& line : lines) {
    CHECK(line.at("level") == "warning");
    CHECK(line.at("msg") == "the sandbox is weaker than it should be");
  }
  CHECK(lines[0].at("cause") == "memfd_secret: no");
  CHECK(lines[1].at("cause") == "Landlock is off");
  try {
    common::accept_sandbox(std::vector<std::string>{"", "Landlock is not available"}, true);
    FAIL("it was accepted");
  } catch (const std::runtime_error& error) {
    const std::string text = error.what();
    CHECK(text.find("require_sandbox") != text.npos);
    CHECK(text.find("Landlock is not available") != text.npos);
  }
}
