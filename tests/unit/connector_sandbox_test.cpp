// What a connector can't do, and that it can still do its work. A child that has entered the sandbox tries it.
#include "relayd/connector/sandbox.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <functional>

#include "common/log.h"
#include "common/operator/checks.h"
#include "relayd/connector/certificate_file.h"
#include "tests/unit/catch.h"
#include "tests/unit/places.h"
#include "tests/unit/scratch_dir.h"

#if !defined(MQTT_RELAY_SANITIZED)  // a sanitizer needs more than the sandbox allows

using namespace unit;

namespace {

constexpr int kKilled = 1000;
constexpr long kPortRules = 4;  // Landlock's ABI

// errno of `attempt` in a child that is sandboxed by this plan; 0: it succeeded.
int tried_with(relayd::ConnectorPlan plan, const std::function<bool()>& attempt) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    common::log::open("test", common::log::Level::error);
    plan.require_sandbox = true;
    relayd::connector::give_up_system_calls(plan, relayd::connector::give_up_files_and_ports(plan));
    errno = 0;
    _exit(attempt() ? 0 : errno);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? kKilled + WTERMSIG(status) : WEXITSTATUS(status);
}

// The same with these ports and source addresses.
int tried(const std::function<bool()>& attempt, uint16_t remote = 1, uint16_t local = 2,
          const std::vector<std::string>& sources = {}) {
  relayd::ConnectorPlan plan;
  plan.brokers = {{"127.0.0.1", remote}};
  plan.local = relayd::Config::Endpoint{"127.0.0.1", local};
  plan.sources = sources;
  return tried_with(std::move(plan), attempt);
}

bool connects(const SocketAddress& address, int protocol = IPPROTO_TCP) {
  const common::Fd made(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, protocol));
  return made && ::connect(made.get(), address.get(), address.size) == 0;
}

}  // namespace

TEST_CASE("a connector reads what names take, and no other file") {
  CHECK(tried([] { return open("/etc/hosts", O_RDONLY) >= 0; }) == 0);
  if (common::landlock_abi() < 1) {
    WARN("SKIPPED: this kernel has no Landlock");
    return;
  }
  for (const char* path : {"/", "/root", "/proc/self/status", "/proc/self/mem", "/tmp", "/usr/bin/env", "/dev/null"}) {
    CAPTURE(path);
    CHECK(tried([&] { return open(path, O_RDONLY) >= 0; }) == EACCES);
  }
}

TEST_CASE("a connector with remote.certs_dir reads the files in it, lists none, and still reads no other file") {
  const ScratchDir certs, other;
  std::filesystem::create_directory(certs / "inner");
  certs.put("inner/thermo.crt", "-----BEGIN CERTIFICATE-----\n");
  std::filesystem::create_symlink("inner/thermo.crt", certs / "thermo.crt");
  other.put("thermo.crt", "-----BEGIN CERTIFICATE-----\n");
  relayd::ConnectorPlan plan;
  plan.certs_dir = certs.path();
  using Found = relayd::channel::CertificateAnswer::Found;
  const auto reads = [&](const std::string& directory) {
    return tried_with(plan, [&] {
      const auto opened = relayd::connector::open_certificates(directory);
      const auto answer = relayd::connector::read_certificate(opened.get(), "thermo");
      errno = answer.found == Found::file ? 0 : EACCES;
      return answer.found == Found::file;
    });
  };
  CHECK(reads(certs.path()) == 0);
  if (common::landlock_abi() < 1) {
    WARN("SKIPPED: this kernel has no Landlock");
    return;
  }
  CHECK(reads(other.path()) == EACCES);
  CHECK(tried_with(plan, [&] { return open(certs.path().c_str(), O_RDONLY | O_DIRECTORY) >= 0; }) == EACCES);
  CHECK(tried_with(plan, [&] { return open((certs / "new.crt").c_str(), O_WRONLY | O_CREAT, 0600) >= 0; }) == EACCES);
  CHECK(tried_with(plan, [&] { return open((other / "thermo.crt").c_str(), O_RDONLY) >= 0; }) == EACCES);
}

// systemd's RestrictSUIDSGID= forbids it, as does this filter.
TEST_CASE("certs_dir: where openat2 is forbidden, files are read, and no link is followed") {
  const ScratchDir certs;
  certs.put("plain.crt", "-----BEGIN CERTIFICATE-----\n");
  std::filesystem::create_symlink("plain.crt", certs / "link.crt");
  const auto reads = [&](const std::string& client_id) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const auto directory = relayd::connector::open_certificates(certs.path());
      if (!common::allow_system_calls(relayd::connector::calls()).empty()) _exit(9);
      const auto answer = relayd::connector::read_certificate(directory.get(), client_id);
      if (answer.problem.find("RestrictSUIDSGID") != std::string::npos) _exit(8);
      _exit(static_cast<int>(answer.found));
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WEXITSTATUS(status);
  };
  CHECK(reads("plain") == static_cast<int>(relayd::channel::CertificateAnswer::Found::file));
  CHECK(reads("absent") == static_cast<int>(relayd::channel::CertificateAnswer::Found::missing));
  CHECK(reads("link") == 8);
}

TEST_CASE("a connector writes, makes and executes nothing") {
  for (const char* path : {"/etc/hosts", "/tmp/connector-made-this", "/proc/self/mem", "/dev/null"}) {
    CAPTURE(path);
    CHECK(tried([&] { return open(path, O_WRONLY | O_CREAT, 0600) >= 0; }) == EACCES);
  }
  CHECK(tried([] { return unlink("/tmp/connector-made-this") == 0; }) == EPERM);
  CHECK(tried([] {
          char* const none[] = {nullptr};
          return execve("/bin/true", none, none) == 0;
        }) == kKilled + SIGSYS);
  CHECK(tried([] { return fork() >= 0; }) != 0);
  CHECK(tried([] {
          return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
        }) == EPERM);
}

TEST_CASE("a connector signals nobody") {
  CHECK(tried([] { return kill(getppid(), 0) == 0; }) == EPERM);
  CHECK(tried([] { return kill(1, SIGTERM) == 0; }) == EPERM);
}

TEST_CASE("a connector connects by TCP to the configured ports and to name servers only") {
  if (common::landlock_abi() < kPortRules) {
    WARN("SKIPPED: this kernel's Landlock can't restrict ports");
    return;
  }
  Listening remote, local, foreign;
  const auto ports = [&](const std::function<bool()>& attempt) {
    return tried(attempt, remote.address.port(), local.address.port());
  };
  CHECK(ports([&] { return connects(remote.address); }) == 0);
  CHECK(ports([&] { return connects(local.address); }) == 0);
  CHECK(ports([&] { return connects(foreign.address); }) == EACCES);
  CHECK(ports([&] { return connects(foreign.address, 0); }) == EACCES);
  CHECK(ports([&] { return connects(foreign.address, IPPROTO_MPTCP); }) == EPERM);
  CHECK(ports([&] { return connects(*SocketAddress::parse("127.64.255.254", 53)); }) == ECONNREFUSED);
  CHECK(ports([] {
          const common::Fd made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
          const auto any = *SocketAddress::parse("127.0.0.1", 0);
          return bind(made.get(), any.get(), any.size) == 0;
        }) == EPERM);
  CHECK(foreign.waiting() == 0);
}

TEST_CASE("a connector with a proxy connects by TCP to the proxy's port, and to no broker's") {
  if (common::landlock_abi() < kPortRules) {
    WARN("SKIPPED: this kernel's Landlock can't restrict ports");
    return;
  }
  Listening broker, proxy;
  relayd::ConnectorPlan plan;
  plan.brokers = {{"127.0.0.1", broker.address.port()}};
  plan.proxy.emplace();
  plan.proxy->settings.at = {"127.0.0.1", proxy.address.port()};
  CHECK(tried_with(plan, [&] { return connects(proxy.address); }) == 0);
  CHECK(tried_with(plan, [&] { return connects(broker.address); }) == EACCES);
}

TEST_CASE("a connector with source addresses binds to them, but to no port of its choice, and never listens") {
  if (common::landlock_abi() < kPortRules) {
    WARN("SKIPPED: this kernel's Landlock can't restrict ports");
    return;
  }
  Listening remote;
  const auto bound = [&](uint16_t port, bool (*then)(int, const SocketAddress&)) {
    const auto attempt = [&, port] {
      const common::Fd made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
      const auto from = *SocketAddress::parse("127.0.0.9", port);
      return bind(made.get(), from.get(), from.size) == 0 && then(made.get(), remote.address);
    };
    return tried(attempt, remote.address.port(), 2, {"127.0.0.9"});
  };
  const auto connect_to = [](int made, const SocketAddress& to) { return connect(made, to.get(), to.size) == 0; };
  CHECK(bound(0, connect_to) == 0);
  CHECK(bound(20'000, connect_to) == EACCES);
  CHECK(bound(0, [](int made, const SocketAddress&) { return listen(made, 1) == 0; }) == EPERM);
  CHECK(tried(
            [] {
              const common::Fd made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
              sockaddr_un name{};
              name.sun_family = AF_UNIX;
              name.sun_path[1] = 'x';
              return bind(made.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
            },
            1, 2, {"127.0.0.9"}) == EPERM);
}

TEST_CASE("a connector resolves names") {
  CHECK(tried([] {
          addrinfo hints{}, *found = nullptr;
          hints.ai_socktype = SOCK_STREAM;
          return getaddrinfo("localhost", "8883", &hints, &found) == 0 && found;
        }) == 0);
}

#endif
