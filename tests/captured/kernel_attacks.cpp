#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "tests/captured/attacker.h"

namespace captured {
namespace {

int number(const Words& words, size_t at = 0) { return std::stoi(words.at(at)); }

std::string opened(const Words& words) { return outcome(open(words.at(0).c_str(), O_RDONLY | O_CLOEXEC)); }

std::string opened_by_openat2(const Words& words) {
  open_how how{};
  how.flags = O_RDONLY;
  return outcome(syscall(SYS_openat2, AT_FDCWD, words.at(0).c_str(), &how, sizeof how));
}

std::string executed(const Words& words) {
  char* arguments[] = {const_cast<char*>(words.at(0).c_str()), nullptr};
  return outcome(execve(arguments[0], arguments, environ));
}

// An unlinked program from memory: memfd_create(2), write, fexecve(3). The first call that is refused ends it.
std::string executed_from_memory(const Words&) {
  const int fd = static_cast<int>(syscall(SYS_memfd_create, "x", MFD_CLOEXEC));
  if (fd < 0) return outcome(fd);
  char* arguments[] = {const_cast<char*>("x"), nullptr};
  return outcome(syscall(SYS_execveat, fd, "", arguments, environ, AT_EMPTY_PATH));
}

std::string executed_by_descriptor(const Words& words) {
  char* arguments[] = {const_cast<char*>("x"), nullptr};
  return outcome(syscall(SYS_execveat, number(words), "", arguments, environ, AT_EMPTY_PATH));
}

std::string mapped(const Words& words) {
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | number(words), MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return outcome(memory == MAP_FAILED ? -1 : 0);
}

std::string made_executable(const Words&) {
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return outcome(memory == MAP_FAILED ? -1 : mprotect(memory, 4096, PROT_READ | PROT_EXEC));
}

std::string made_socket(const Words& words) {
  const int fd = socket(number(words), number(words, 1) | SOCK_CLOEXEC | SOCK_NONBLOCK, number(words, 2));
  const std::string result = outcome(fd);
  if (fd >= 0) close(fd);
  return result;
}

std::string read_of(const Words& words) {
  char byte;
  iovec here{&byte, 1}, there{&byte, 1};
  return outcome(syscall(SYS_process_vm_readv, number(words), &here, 1, &there, 1, 0));
}

std::string queued_signal(const Words& words) {
  siginfo_t info{};
  info.si_signo = SIGTERM;
  info.si_code = SI_QUEUE;
  return outcome(syscall(SYS_rt_sigqueueinfo, number(words), SIGTERM, &info));
}

std::string owner_set(const Words& words) {
  const std::string owner = outcome(fcntl(STDERR_FILENO, F_SETOWN, number(words)));
  const std::string signal = outcome(fcntl(STDERR_FILENO, F_SETSIG, SIGKILL));
  const std::string async = outcome(fcntl(STDERR_FILENO, F_SETFL, O_ASYNC));
  return owner + " " + signal + " " + async;
}

std::string typed(const Words&) {
  char character = '\n';
  std::string all;
  for (const int fd : {0, 1, 2}) all += (all.empty() ? "" : " ") + outcome(ioctl(fd, TIOCSTI, &character));
  return all;
}

std::string filtered(const Words&) { return outcome(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, nullptr)); }

// A system call whose arguments do not matter: it must be refused before the kernel looks at them.
Attack call(long number_of_call) {
  return [number_of_call](const Words&) { return outcome(syscall(number_of_call, 0, 0, 0, 0, 0, 0)); };
}

Attack limit_of(int resource) {
  return [resource](const Words& words) {
    const rlimit none{0, 0};
    return outcome(syscall(SYS_prlimit64, number(words), resource, &none, nullptr));
  };
}

}  // namespace

Attacks kernel_attacks() {
  using W = const Words&;
  return {
    {"nothing", [](W) { return outcome(getpid()); }},  // the positive control
                                                       // files
        {"open", opened}, {"openat2", opened_by_openat2},
        {"create", [](W w) { return outcome(open(w.at(0).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); }},
        {"unlink", [](W w) { return outcome(unlink(w.at(0).c_str())); }},
        {"rename", [](W w) { return outcome(rename(w.at(0).c_str(), w.at(1).c_str())); }},
        {"chmod", [](W w) { return outcome(chmod(w.at(0).c_str(), 0777)); }},
        {"link", [](W w) { return outcome(link(w.at(0).c_str(), w.at(1).c_str())); }},
        {"chdir", [](W) { return outcome(chdir("/")); }},
        {"readlink",
         [](W) {
           char text[64];
           return outcome(readlink("/proc/self/exe", text, sizeof text));
         }},
        {"handle", call(SYS_open_by_handle_at)}, {"inotify", call(SYS_inotify_init1)},
        {"fanotify", call(SYS_fanotify_init)},
        // programs, memory that is a program
        {"execve", executed}, {"execveat", executed_by_descriptor}, {"memfd", executed_from_memory}, {"map", mapped},
        {"mprotect", made_executable}, {"pkey_mprotect", call(SYS_pkey_mprotect)},
        {"remap", call(SYS_remap_file_pages)},
        {"personality", [](W) { return outcome(syscall(SYS_personality, 0x0400000 /* READ_IMPLIES_EXEC */)); }},
        {"fork", [](W) { return outcome(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }},
        {"thread", [](W) { return outcome(syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0)); }},
        {"clone3", call(SYS_clone3)},
#ifdef SYS_fork  // aarch64 has neither
        {"fork-itself", call(SYS_fork)}, {"vfork", call(SYS_vfork)},
#endif
#if defined(__x86_64__)
        {"x32", [](W) { return outcome(syscall(0x40000000 | SYS_getpid)); }},
        {"i386",
         [](W) {
           long result;
           asm volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");  // getpid
           return outcome(result);
         }},
#endif
        // other processes
        {"kill", [](W w) { return outcome(kill(number(w), number(w, 1))); }},
        {"tgkill", [](W w) { return outcome(syscall(SYS_tgkill, number(w), number(w), SIGTERM)); }},
        {"tkill", [](W w) { return outcome(syscall(SYS_tkill, number(w), SIGTERM)); }}, {"sigqueue", queued_signal},
        {"pidfd", [](W w) { return outcome(syscall(SYS_pidfd_open, number(w), 0)); }},
        {"pidfd_signal", call(SYS_pidfd_send_signal)}, {"pidfd_getfd", call(SYS_pidfd_getfd)}, {"owner", owner_set},
        {"ptrace", [](W w) { return outcome(ptrace(PTRACE_ATTACH, number(w), nullptr, nullptr)); }},
        {"vm_read", read_of},
        {"vm_write", [](W w) { return outcome(syscall(SYS_process_vm_writev, number(w), nullptr, 0, nullptr, 0, 0)); }},
        {"madvise_other", call(SYS_process_madvise)}, {"kcmp", call(SYS_kcmp)}, {"move_pages", call(SYS_move_pages)},
        {"limits", limit_of(RLIMIT_NOFILE)},
        {"priority", [](W w) { return outcome(setpriority(PRIO_PROCESS, static_cast<id_t>(number(w)), 19)); }},
        {"affinity", call(SYS_sched_setaffinity)}, {"scheduler", call(SYS_sched_setscheduler)},
        {"wait", [](W) { return outcome(waitpid(-1, nullptr, WNOHANG)); }},
        {"setpgid", [](W w) { return outcome(setpgid(0, number(w))); }},
        {"setsid", [](W) { return outcome(setsid()); }}, {"terminal", typed},
        // privileges and namespaces
        {"setuid", [](W) { return outcome(syscall(SYS_setuid, 0)); }},
        {"setgroups", [](W) { return outcome(syscall(SYS_setgroups, 0, nullptr)); }}, {"capset", call(SYS_capset)},
        {"dumpable", [](W) { return outcome(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }},
        {"death_signal", [](W) { return outcome(prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)); }},
        {"tracer", [](W w) { return outcome(prctl(PR_SET_PTRACER, number(w), 0, 0, 0)); }},
        {"unshare", [](W) { return outcome(unshare(CLONE_NEWUSER | CLONE_NEWNET)); }}, {"setns", call(SYS_setns)},
        {"mount", [](W) { return outcome(mount("none", "/", nullptr, MS_REMOUNT, nullptr)); }},
        {"move_mount", call(SYS_move_mount)}, {"pivot", call(SYS_pivot_root)},
        {"chroot", [](W) { return outcome(chroot("/")); }},
        {"hostname", [](W) { return outcome(sethostname("x", 1)); }}, {"seccomp", filtered},
        {"landlock", call(SYS_landlock_create_ruleset)},
        // large interfaces of the kernel
        {"io_uring", call(SYS_io_uring_setup)}, {"bpf", call(SYS_bpf)}, {"userfaultfd", call(SYS_userfaultfd)},
        {"perf", call(SYS_perf_event_open)}, {"keyctl", call(SYS_keyctl)}, {"add_key", call(SYS_add_key)},
        {"module", call(SYS_init_module)}, {"kexec", call(SYS_kexec_load)}, {"reboot", call(SYS_reboot)},
        {"swap", call(SYS_swapon)}, {"clock", call(SYS_clock_settime)}, {"syslog", call(SYS_syslog)},
        {"quota", call(SYS_quotactl)}, {"aio", call(SYS_io_setup)},
        {"shared", [](W) { return outcome(syscall(SYS_shmget, IPC_PRIVATE, 4096, IPC_CREAT | 0600)); }},
        {"queue", [](W) { return outcome(syscall(SYS_msgget, IPC_PRIVATE, IPC_CREAT | 0600)); }},
        {"semaphore", [](W) { return outcome(syscall(SYS_semget, IPC_PRIVATE, 1, IPC_CREAT | 0600)); }},
        {"vmsplice", call(SYS_vmsplice)}, {"splice", call(SYS_splice)}, {"pipe", call(SYS_pipe2)},
        {"timer", call(SYS_timer_create)},
        // sockets
        {"socket", made_socket},
        {"socketpair",
         [](W) {
           int pair[2];
           return outcome(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
         }},
        {"connect",
         [](W w) {
           const sockaddr_in somewhere{AF_INET, htons(9), {htonl(INADDR_LOOPBACK)}, {}};
           return outcome(connect(number(w), reinterpret_cast<const sockaddr*>(&somewhere), sizeof somewhere));
         }},
        {"bind",
         [](W w) {
           const sockaddr_in any{AF_INET, 0, {htonl(INADDR_ANY)}, {}};
           return outcome(bind(number(w), reinterpret_cast<const sockaddr*>(&any), sizeof any));
         }},
        // what it shares with others through a descriptor
        {"set_flags", [](W w) { return outcome(fcntl(number(w), F_SETFL, number(w, 1))); }},
        {"blocking",
         [](W w) {
           const int off = 0;
           return outcome(ioctl(number(w), FIONBIO, &off));
         }},
        {"async",
         [](W w) {
           const int on = 1;
           return outcome(ioctl(number(w), FIOASYNC, &on));
         }},
        {"pipe_size", [](W w) { return outcome(fcntl(number(w), F_SETPIPE_SZ, 4096)); }},
        {"lease", [](W w) { return outcome(fcntl(number(w), F_SETLEASE, F_RDLCK)); }},
        {"seal", [](W w) { return outcome(fcntl(number(w), F_ADD_SEALS, F_SEAL_WRITE)); }},
        {"truncate", [](W w) { return outcome(ftruncate(number(w), 0)); }},
        {"write_at",
         [](W w) {
           const iovec part{const_cast<char*>("x"), 1};
           return outcome(pwritev2(number(w), &part, 1, 0, 0));
         }},
        {"write_shared",
         [](W w) {
           void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, number(w), 0);
           return outcome(memory == MAP_FAILED ? -1 : 0);
         }},
        {"dup", [](W w) { return outcome(dup(number(w))); }},
        {"duplicate", [](W w) { return outcome(fcntl(number(w), F_DUPFD_CLOEXEC, 100)); }},
        {"seek", [](W w) { return outcome(lseek(number(w), 0, SEEK_SET)); }},
  };
}

}  // namespace captured
