// What an attacker in a worker gains by system calls: nothing. keyd_test.cpp and supervisor_test.cpp have what it can
// say to others.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "relayd/handover/plan.h"
#include "tests/captured/gateway.h"
#include "tests/integration/harness/need.h"

using namespace captured;

namespace {

std::string socket_of(int family, int type, int protocol = 0) {
  return "socket " + std::to_string(family) + " " + std::to_string(type) + " " + std::to_string(protocol);
}

std::string on(const char* attack, int fd, int more = -1) {
  return std::string(attack) + " " + std::to_string(fd) + (more < 0 ? "" : " " + std::to_string(more));
}

}  // namespace

// ---- the listening sockets

TEST_CASE("captured worker: it can't shut down a listening socket") {
  must_fail({{"nothing", "done"},
             {"listener:shutdown-read", "EPERM"},
             {"listener:shutdown-write", "EPERM"},
             {"listener:shutdown", "EPERM"}});
}

TEST_CASE("captured worker: it can't end listening by disconnecting the socket") {
  must_fail({{"listener:disconnect", "EPERM"}});
}

TEST_CASE("captured worker: it can't make a listening socket block its siblings") {
  must_fail({{"listener:block", "EPERM"}, {on("blocking", relayd::kFirstListenerFd), "EPERM"}});
}

TEST_CASE("captured worker: it can't steer new devices to itself") {
  must_fail({{"listener:steer", "EPERM"}, {"listener:steer-ebpf", "EPERM"}, {"listener:reuseport", "EPERM"}});
}

TEST_CASE("captured worker: it can't filter the packets of a listening socket") {
  must_fail({{"listener:filter", "EPERM"}, {"listener:filter-ebpf", "EPERM"}, {"listener:lock-filter", "EPERM"}});
}

TEST_CASE("captured worker: it can't spoil the options that accepted sockets inherit") {
  must_fail({{"listener:user-timeout", "EPERM"},
             {"listener:keep-alive", "EPERM"},
             {"listener:linger", "EPERM"},
             {"listener:timeout", "EPERM"},
             {"listener:buffer", "EPERM"},
             {"listener:segment", "EPERM"},
             {"listener:device", "EPERM"}});
}

TEST_CASE("captured worker: it can't change how connections arrive") {
  must_fail({{"listener:defer", "EPERM"},
             {"listener:fast-open", "EPERM"},
             {"listener:repair", "EPERM"},
             {"listener:listen", "EPERM"}});
}

TEST_CASE("captured worker: it can't reach a listening socket through a copy") {
  must_fail({{"listener:duplicate", "EPERM"},
             {on("dup", relayd::kFirstListenerFd), "EPERM"},
             {on("duplicate", relayd::kControlFd), "EPERM"}});
}

TEST_CASE("captured worker: a listening socket that it closes is closed for it alone") {
  for (const Layout layout : kLayouts) {
    Gateway gateway(layout);
    CHECK(gateway.attack("forget") == "done");  // it accepts nothing any more
    gateway.serves();
  }
}

// ---- what it shares through a descriptor

TEST_CASE("captured worker: it can't change the flags of the log that it shares") {
  must_fail({{on("set_flags", STDERR_FILENO, 0), "EPERM"},
             {on("set_flags", STDERR_FILENO, O_NONBLOCK), "EPERM"},
             {on("set_flags", STDERR_FILENO, O_ASYNC), "EPERM"},
             {on("blocking", STDERR_FILENO), "EPERM"},
             {on("async", STDERR_FILENO), "EPERM"},
             {on("pipe_size", STDERR_FILENO), "EPERM"}});
}

TEST_CASE("captured worker: it can't rewrite, cut or rewind a log file") {
  must_fail({{on("write_at", STDERR_FILENO), "EPERM"},
             {on("truncate", STDERR_FILENO), "EPERM"},
             {on("seek", STDERR_FILENO), "EPERM"},
             {on("lease", STDERR_FILENO), "EPERM"}});
}

TEST_CASE("captured worker: it can't have the kernel signal another process for it") {
  must_fail({{"owner @supervisor", "EPERM EPERM EPERM"}, {"owner @keyd", "EPERM EPERM EPERM"}});
}

TEST_CASE("captured worker: it can't type into the operator's terminal") {
  must_fail({{"terminal", "EPERM EPERM EPERM"}, {"setsid", "EPERM"}, {"setpgid @supervisor", "EPERM"}});
}

TEST_CASE("captured worker: it can't change its plan, nor its successor's") {
  must_fail({{on("overwrite", relayd::kPlanFd), "EPERM"},
             {on("write_shared", relayd::kPlanFd), "EPERM"},
             {on("write_at", relayd::kPlanFd), "EPERM"},
             {on("truncate", relayd::kPlanFd), "EPERM"}});
}

TEST_CASE("captured worker: it can't seal or cut the memory that it shares") {
  must_fail({{on("seal", relayd::kScoreboardFd), "EPERM"}, {on("truncate", relayd::kScoreboardFd), "EPERM"}});
}

TEST_CASE("captured worker: it can't send a descriptor to its supervisor") {
  must_fail(
      {{on("send-descriptor", STDERR_FILENO), "EPERM"}, {on("send-descriptor", relayd::kFirstListenerFd), "EPERM"}});
}

// ---- files

TEST_CASE("captured worker: it opens no file") {
  must_fail({{"open /etc/passwd", "EPERM"},
             {"open /", "EPERM"},
             {"open /dev/null", "EPERM"},
             {"open /proc/self/mem", "EPERM"},
             {"create /tmp/captured", "EPERM"}});
}

TEST_CASE("captured worker: it opens no file by newer system calls") {
  must_fail({{"openat2 /etc/passwd", "EPERM"}, {"handle", "EPERM"}, {"readlink", "EPERM"}, {"chdir", "EPERM"}});
}

TEST_CASE("captured worker: it removes, renames and links no file") {
  must_fail({{"unlink /tmp/captured", "EPERM"},
             {"rename /tmp/captured /tmp/captured-too", "EPERM"},
             {"link /tmp/captured /tmp/captured-too", "EPERM"},
             {"chmod /tmp/captured", "EPERM"}});
}

TEST_CASE("captured worker: it watches no file") { must_fail({{"inotify", "EPERM"}, {"fanotify", "EPERM"}}); }

// ---- programs

TEST_CASE("captured worker: executing a program kills it, and it alone") {
  must_fail({{"execve /bin/true", "killed"}});
}

TEST_CASE("captured worker: executing one of our own programs kills it") {
  must_fail({{"execve /proc/self/exe", "killed"}});
}

TEST_CASE("captured worker: executing a descriptor kills it") {
  must_fail({{on("execveat", relayd::kPlanFd), "killed"}});
}

TEST_CASE("captured worker: it makes no program in memory") { must_fail({{"memfd", "EPERM"}}); }

TEST_CASE("captured worker: no memory becomes executable") {
  must_fail({{on("map", PROT_READ), "done"},
             {on("map", PROT_EXEC), "EPERM"},
             {"mprotect", "EPERM"},
             {"pkey_mprotect", "EPERM"},
             {"remap", "EPERM"},
             {"personality", "EPERM"},
             {"shared", "EPERM"}});
}

TEST_CASE("captured worker: it starts no process and no thread") {
  must_fail({{"fork", "EPERM"}, {"thread", "EPERM"}, {"clone3", "EPERM"}});
#if defined(__x86_64__)
  must_fail({{"fork-itself", "killed"}, {"vfork", "killed"}});
#endif
}

#if defined(__x86_64__)
TEST_CASE("captured worker: the system calls of another ABI kill it") {
  must_fail({{"x32", "killed"}, {"i386", "killed"}});
}
#endif

// ---- other processes

TEST_CASE("captured worker: it signals neither sibling, supervisor nor keyd") {
  must_fail({{"kill @supervisor 15", "EPERM"},
             {"kill @sibling 9", "EPERM"},
             {"kill @keyd 9", "EPERM"},
             {"kill -1 9", "EPERM"},
             {"kill 0 9", "EPERM"}});
}

TEST_CASE("captured worker: it signals no thread of another process") {
  must_fail({{"tgkill @supervisor", "EPERM"},
             {"tgkill @sibling", "EPERM"},
             {"tgkill @keyd", "EPERM"},
             {"tkill @sibling", "EPERM"},
             {"sigqueue @supervisor", "EPERM"}});
}

TEST_CASE("captured worker: it gets no handle of another process") {
  must_fail({{"pidfd @sibling", "EPERM"},
             {"pidfd @supervisor", "EPERM"},
             {"pidfd_signal", "EPERM"},
             {"pidfd_getfd", "EPERM"}});
}

TEST_CASE("captured worker: tracing a process kills it") {
  must_fail({{"ptrace @sibling", "killed"}, {"ptrace @supervisor", "killed"}});
}

TEST_CASE("captured worker: reading or writing another process's memory kills it") {
  must_fail({{"vm_read @sibling", "killed"}, {"vm_write @sibling", "killed"}});
}

TEST_CASE("captured worker: it opens no process's memory as a file") {
  must_fail({{"open /proc/@sibling/mem", "EPERM"},
             {"open /proc/@supervisor/environ", "EPERM"},
             {"open /proc/@keyd/maps", "EPERM"}});
}

TEST_CASE("captured worker: it changes no limit, priority or processor of another process") {
  must_fail({{"limits @sibling", "EPERM"},
             {"priority @sibling", "EPERM"},
             {"affinity", "EPERM"},
             {"scheduler", "EPERM"},
             {"wait", "EPERM"},
             {"kcmp", "EPERM"},
             {"move_pages", "EPERM"},
             {"madvise_other", "EPERM"}});
}

// ---- privileges

TEST_CASE("captured worker: it gains no user, group or capability") {
  must_fail({{"setuid", "EPERM"}, {"setgroups", "EPERM"}, {"capset", "EPERM"}});
}

TEST_CASE("captured worker: it can't open itself to other processes, or outlive its supervisor") {
  must_fail({{"dumpable", "EPERM"}, {"tracer @sibling", "EPERM"}, {"death_signal", "EPERM"}});
}

TEST_CASE("captured worker: it leaves no namespace and enters none") {
  must_fail({{"unshare", "EPERM"}, {"setns", "EPERM"}, {"chroot", "EPERM"}, {"hostname", "EPERM"}});
}

TEST_CASE("captured worker: it mounts nothing") {
  must_fail({{"mount", "EPERM"}, {"move_mount", "EPERM"}, {"pivot", "EPERM"}});
}

TEST_CASE("captured worker: it can't add a filter or a rule of its own") {
  must_fail({{"seccomp", "EPERM"}, {"landlock", "EPERM"}});
}

// ---- the kernel's large interfaces

TEST_CASE("captured worker: io_uring is out of reach") { must_fail({{"io_uring", "EPERM"}, {"aio", "EPERM"}}); }

TEST_CASE("captured worker: bpf and perf are out of reach") { must_fail({{"bpf", "EPERM"}, {"perf", "EPERM"}}); }

TEST_CASE("captured worker: userfaultfd is out of reach") { must_fail({{"userfaultfd", "EPERM"}}); }

TEST_CASE("captured worker: the kernel's keyrings are out of reach") {
  must_fail({{"keyctl", "EPERM"}, {"add_key", "EPERM"}});
}

TEST_CASE("captured worker: it can't halt the machine or change its clock") {
  must_fail({{"reboot", "EPERM"},
             {"kexec", "EPERM"},
             {"module", "EPERM"},
             {"swap", "EPERM"},
             {"clock", "EPERM"},
             {"syslog", "EPERM"},
             {"quota", "EPERM"}});
}

TEST_CASE("captured worker: it leaves nothing behind in the kernel") {
  must_fail({{"queue", "EPERM"}, {"semaphore", "EPERM"}, {"timer", "EPERM"}});
}

TEST_CASE("captured worker: it makes no pipe and splices nothing") {
  must_fail({{"pipe", "EPERM"}, {"splice", "EPERM"}, {"vmsplice", "EPERM"}});
}

// ---- sockets

TEST_CASE("captured worker: it makes no socket to a network: none to the site's, none to loopback") {
  must_fail({{socket_of(AF_INET, SOCK_STREAM), "EPERM"},
             {socket_of(AF_INET6, SOCK_STREAM), "EPERM"},
             {socket_of(AF_INET, SOCK_DGRAM), "EPERM"},
             {socket_of(AF_INET6, SOCK_DGRAM), "EPERM"},
             {socket_of(AF_INET, SOCK_RAW, 1), "EPERM"},
             {socket_of(AF_PACKET, SOCK_RAW), "EPERM"},
             {socket_of(AF_VSOCK, SOCK_STREAM), "EPERM"},
             {socket_of(AF_BLUETOOTH, SOCK_RAW), "EPERM"}});
}

TEST_CASE("captured worker: it reaches no service of the machine: control socket, D-Bus, journal") {
  must_fail(
      {{socket_of(AF_UNIX, SOCK_STREAM), "EPERM"}, {socket_of(AF_UNIX, SOCK_DGRAM), "EPERM"}, {"socketpair", "EPERM"}});
}

TEST_CASE("captured worker: it speaks to no part of the kernel by a socket") {
  must_fail({{socket_of(AF_NETLINK, SOCK_RAW), "EPERM"},
             {socket_of(AF_ALG, SOCK_SEQPACKET), "EPERM"},
             {socket_of(AF_KEY, SOCK_RAW), "EPERM"},
             {socket_of(AF_XDP, SOCK_RAW), "EPERM"}});
}

TEST_CASE("captured worker: it can't connect a socket that it has to somewhere else") {
  must_fail({{on("connect", relayd::kControlFd), "EPERM"},
             {on("connect", relayd::kChannelFd), "EPERM"},
             {on("connect", relayd::kFirstListenerFd), "EPERM"}});
}

TEST_CASE("captured worker: it can't listen") { must_fail({{on("bind", relayd::kControlFd), "EPERM"}}); }
