#include "relayd/connector/sandbox.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "common/fd.h"
#include "common/hardening.h"
#include "common/log.h"
#include "relayd/connector/certificate_file.h"
#include "relayd/handover/tcp_options.h"

namespace relayd::connector {
namespace {

namespace log = common::log;

constexpr uint16_t kDns = 53;  // by TCP, if an answer is too long for UDP

// What getaddrinfo(3) reads: its configuration, the tables of name services, and their libraries, which it loads when a
// name first needs one. Folders, because their files are replaced. Not every system has all of them.
constexpr const char* kRead[] = {"/etc",
                                 "/usr/lib",
                                 "/usr/lib64",
                                 "/lib",
                                 "/lib64",
                                 "/run/systemd/resolve",
                                 "/run/resolvconf",
                                 "/run/NetworkManager",
                                 "/run/connman",
                                 "/run/netconfig",
                                 "/run/nscd",
                                 "/var/run/nscd",
                                 "/var/db/nscd"};

using namespace common::calls;

constexpr common::Argument kStreamType{1, common::Argument::Is::equal, 0xf, SOCK_STREAM};
constexpr common::Argument kPacketType{1, common::Argument::Is::equal, 0xf, SOCK_SEQPACKET};
constexpr common::Argument kDatagramType{1, common::Argument::Is::equal, 0xf, SOCK_DGRAM};

// clang-format off
constexpr common::Call kConnecting[] = {
    "epoll_wait", "epoll_pwait", "epoll_ctl", "poll", "ppoll",                        // the loop, look-ups
    // Landlock restricts TCP only, so no other protocol may carry a stream (MPTCP can fall back to TCP).
    {"socket", is(0, AF_INET), kStreamType, is(2, 0)}, {"socket", is(0, AF_INET), kStreamType, is(2, IPPROTO_TCP)},
    {"socket", is(0, AF_INET6), kStreamType, is(2, 0)}, {"socket", is(0, AF_INET6), kStreamType, is(2, IPPROTO_TCP)},
    {"socket", is(0, AF_INET), kDatagramType, is(2, 0)}, {"socket", is(0, AF_INET6), kDatagramType, is(2, 0)},
    {"socket", is(0, AF_UNIX), kPacketType, is(2, 0)},                                // keyd
    {"socket", is(0, AF_UNIX), kStreamType, is(2, 0)},                                // nscd, systemd-resolved
    "connect", "getsockname", "getpeername", "close",
    "recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg", "sendmmsg",               // sockets: their bytes
    get_option(SOL_SOCKET, SO_ERROR), get_option(SOL_SOCKET, SO_PEERCRED),            // sockets: their options
    set_option(SOL_SOCKET, SO_KEEPALIVE), set_option(IPPROTO_TCP, TCP_NODELAY),
    set_option(IPPROTO_TCP, TCP_KEEPIDLE), set_option(IPPROTO_TCP, TCP_KEEPINTVL), set_option(IPPROTO_TCP, TCP_KEEPCNT),
    set_option(IPPROTO_IP, kLocalPortRange), set_option(IPPROTO_IP, IP_RECVERR), set_option(IPPROTO_IPV6, IPV6_RECVERR),
    set_option(SOL_SOCKET, SO_RCVBUF), set_option(SOL_SOCKET, SO_SNDBUF), ioctl_request(SIOCGIFINDEX),
    "openat", "open", "read", "pread64", "lseek", "stat", "lstat", "statx", "access", // what names take
    "faccessat", "faccessat2", "readlink", "readlinkat", "uname", "getuid", "geteuid", "getgid", "getegid",
    fcntl_command(F_GETFD), fcntl_command(F_SETFD), "time", "clock_nanosleep", "sched_yield",
    {"mmap", without(2, PROT_WRITE), without(3, MAP_ANONYMOUS)},                      // a name service's library
};
// With remote.bind. Landlock allows TCP sockets no port of their choice.
constexpr common::Call kBinding[] = {
    {"bind", is(2, sizeof(sockaddr_in))}, {"bind", is(2, sizeof(sockaddr_in6))},
    set_option(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
};
// With remote.certs_dir: links beneath it. Landlock judges the path, which the filter can't see.
constexpr common::Call kCertificates[] = {"openat2"};
// clang-format on

// The folder of the file that a link names; "" if it is not a link.
[[maybe_unused]] std::string folder_of_target(const char* link) {
  char path[PATH_MAX];
  if (!realpath(link, path)) return "";
  const std::string whole(path);
  return whole.substr(0, whole.rfind('/'));
}

}  // namespace

std::string give_up_files_and_ports(const ConnectorPlan& plan) {
  common::harden_process();
#if defined(MQTT_RELAY_SANITIZED)
  (void)plan;
  return "files and ports have no limit: a sanitizer reads its own files";
#else
  std::vector<std::string> folders(std::begin(kRead), std::end(kRead));
  folders.push_back(folder_of_target("/etc/resolv.conf"));
  std::vector<common::Fd> open;
  std::vector<common::FileRule> rules;
  for (const std::string& folder : folders) {
    common::Fd fd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd) continue;
    rules.push_back({fd.get(), common::FileRule::read});
    open.push_back(std::move(fd));
  }
  if (!plan.certs_dir.empty()) {
    open.push_back(open_certificates(plan.certs_dir));
    rules.push_back({open.back().get(), common::FileRule::read_file});
  }
  std::vector<uint16_t> ports{kDns};
  for (const Config::Endpoint& place : plan.remote_places()) ports.push_back(place.port);
  if (plan.local) ports.push_back(plan.local->port);
  const auto lacking = common::forbid_files_and_ports(rules, ports, !plan.sources.empty());
  if (!lacking.ports.empty())
    log::warning("sandbox_weaker", "an attacker in the connector could connect to any TCP port",
                 {{"cause", lacking.ports}});
  return lacking.files;
#endif
}

common::CallList calls(const ConnectorPlan& plan) {
  common::CallList calls = common::joined({kConnecting, kLog, kMemory, kTime, kEnd});
  if (!plan.sources.empty()) calls.insert(calls.end(), std::begin(kBinding), std::end(kBinding));
  if (!plan.certs_dir.empty()) calls.insert(calls.end(), std::begin(kCertificates), std::end(kCertificates));
  return calls;
}

void give_up_system_calls(const ConnectorPlan& plan, const std::string& lacking_files) {
  const std::string calls = common::allow_system_calls(connector::calls(plan));
  common::accept_sandbox(std::array{lacking_files, calls}, plan.require_sandbox);
  if (!lacking_files.empty() || !calls.empty()) return;
  const common::Fd root(::open("/", O_RDONLY | O_CLOEXEC));
  if (root) throw std::runtime_error("the sandbox is in force, but the connector could open \"/\"");
  log::info(
      "sandboxed",
      "connector is sandboxed: it reads only remote.certs_dir and what names take, writes no file, executes nothing, "
      "is not "
      "dumpable and gains no privileges",
      {{"open(\"/\")", strerror(errno)}});
}

}  // namespace relayd::connector
