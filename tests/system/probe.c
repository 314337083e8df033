// Tries what a compromised process would try, and prints one line for each attempt: its name, and "allowed" or the
// error. sandbox_test puts it in place of a daemon's program, and systemd runs it in the unit's sandbox. Outside the
// sandbox, as root, everything must be allowed, or a denial would prove nothing.
//
// Linked statically, because it runs on another Debian than the one it was compiled on. It changes nothing lasting
// where it is allowed to.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void tried(const char* what, const char* argument, long result) {
  const char* outcome = result >= 0 ? "allowed" : strerrorname_np(errno);
  printf("%s%s%s: %s\n", what, *argument ? " " : "", argument, outcome);
}

// Runs the attempt in a child, because it may change the process. Returns 0, or -1 with the child's errno, which comes
// through a close-on-exec pipe.
static int in_child(int (*attempt)(void)) {
  int failure[2], error = 0;
  if (pipe2(failure, O_CLOEXEC) < 0) return -1;
  fflush(stdout);
  pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    if (attempt() < 0) error = errno;
    _exit(write(failure[1], &error, sizeof error) != sizeof error);
  }
  close(failure[1]);
  if (read(failure[0], &error, sizeof error) < 0) error = errno;
  close(failure[0]);
  waitpid(child, NULL, 0);
  errno = error;
  return error == 0 ? 0 : -1;
}

static void read_file(const char* path) {
  char byte;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  tried("read", path, file < 0 ? -1 : read(file, &byte, 1));
  if (file >= 0) close(file);
}

static void list(const char* path) {
  int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  tried("list", path, folder);
  if (folder >= 0) close(folder);
}

static void write_in(const char* folder) {
  char path[256];
  snprintf(path, sizeof path, "%s/probe", folder);
  int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  tried("write in", folder, file);
  if (file < 0) return;
  close(file);
  unlink(path);
}

static void socket_of(const char* family_name, int family, int type, int protocol) {
  int fd = socket(family, type | SOCK_CLOEXEC, protocol);
  tried("socket", family_name, fd);
  if (fd >= 0) close(fd);
}

// Whether this is the network namespace that the test recorded.
static void network(void) {
  char noted[64] = "", own[64] = "";
  int file = open("/scene/network", O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? -1 : read(file, noted, sizeof noted - 1);
  if (file >= 0) close(file);
  if (length < 0 || readlink("/proc/self/ns/net", own, sizeof own - 1) < 0) return;
  noted[strcspn(noted, "\n")] = '\0';
  errno = ENETUNREACH;
  tried("see the machine's network", "", strcmp(noted, own) == 0 ? 0 : -1);
}

static void other_processes(void) {
  DIR* processes = opendir("/proc");
  int others = 0;
  for (struct dirent* entry; processes && (entry = readdir(processes));)
    others += atoi(entry->d_name) > 0 && atoi(entry->d_name) != getpid();
  if (processes) closedir(processes);
  errno = ESRCH;
  tried("see another process", "", others > 0 ? 0 : -1);
}

static const char* program;
static int execute(void) { return execl(program, program, "-c", "", (char*)NULL); }
static void execute_program(const char* path) {
  program = path;
  tried("execute", path, in_child(execute));
}

static int change_user(void) { return setuid(0); }
static int change_group(void) { return setgid(0); }
static int change_root(void) { return chroot("/"); }
static int change_time_class(void) {
  return sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
}
static int change_personality(void) { return personality(ADDR_NO_RANDOMIZE); }
static int change_host_name(void) {  // to the current name
  char name[256];
  return gethostname(name, sizeof name) < 0 ? -1 : sethostname(name, strlen(name));
}
static int new_user_namespace(void) { return unshare(CLONE_NEWUSER); }
static int new_mount_namespace(void) { return unshare(CLONE_NEWNS); }
static int mount_tmpfs(void) {  // invisible to other processes
  if (unshare(CLONE_NEWNS) < 0 || mount("/", "/", "", MS_REC | MS_PRIVATE, "") < 0) return -1;
  return mount("probe", "/tmp", "tmpfs", 0, "");
}
static int seize_parent(void) { return (int)ptrace(PTRACE_SEIZE, getppid(), NULL, NULL); }
static int read_parent(void) {
  static char there = 1;  // at the same address in the parent
  char here = 0;
  struct iovec to = {&here, 1}, from = {&there, 1};
  return (int)process_vm_readv(getppid(), &to, 1, &from, 1, 0);
}
static int allow_cores(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_CORE, &limit) < 0) return -1;
  limit.rlim_cur = limit.rlim_max = RLIM_INFINITY;
  return setrlimit(RLIMIT_CORE, &limit);
}
static int set_user_id_file(void) {
  int file = memfd_create("probe", MFD_CLOEXEC);
  return file < 0 ? -1 : fchmod(file, 04755);
}

static void memory(void) {
  void* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  tried("memory that is written and executed", "", page == MAP_FAILED ? -1 : 0);
  page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  tried("memory that was written made executable", "", mprotect(page, 4096, PROT_READ | PROT_EXEC));
  tried("locked memory", "", mlock(page, 4096));
  tried("secret memory", "", syscall(SYS_memfd_secret, 0));
}

static void capabilities(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[2] = {{0}};
  long got = syscall(SYS_capget, &header, sets);
  unsigned has = sets[0].effective | sets[0].permitted | sets[0].inheritable | sets[1].effective | sets[1].permitted;
  int bounds = 0;
  for (int i = 0; i < 64; ++i) bounds += prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1;
  errno = EPERM;
  tried("hold a capability", "", got == 0 && has == 0 ? -1 : 0);
  tried("gain a capability", "", bounds == 0 ? -1 : 0);
  tried("gain privileges", "", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? -1 : 0);
}

int main(void) {
  read_file("/etc/mqtt-relay/keyd.json");
  read_file("/etc/mqtt-relay/relayd.json");
  read_file("/etc/mqtt-relay/keys/sensor-1.pem");
  read_file("/etc/mqtt-relay/listener.key");
  read_file("/etc/mqtt-relay/key_passphrase");
  read_file("/run/credentials/mqtt-keyd.service/key_passphrase");
  read_file("/var/log/mqtt-keyd/audit.log");
  read_file("/etc/shadow");
  read_file("/home/owner/file");
  read_file("/tmp/of-others");
  read_file("/proc/1/status");
  read_file("/proc/kallsyms");
  read_file("/proc/cpuinfo");
  read_file("/dev/zero");
  read_file("/dev/another");
  list("/etc/mqtt-relay/keys");
  list("/run/dbus");
  write_in("/etc/mqtt-relay/keys");
  write_in("/etc/mqtt-relay");
  write_in("/etc");
  write_in("/usr/sbin");
  write_in("/var/lib/anybody");
  write_in("/tmp/anybody");
  write_in("/var/log/mqtt-keyd");
  write_in("/run/mqtt-keyd");
  write_in("/run/mqtt-relay");
  execute_program("/bin/true");
  execute_program("/bin/sh");
  socket_of("AF_UNIX", AF_UNIX, SOCK_STREAM, 0);
  socket_of("AF_INET", AF_INET, SOCK_STREAM, 0);
  socket_of("AF_INET6", AF_INET6, SOCK_STREAM, 0);
  socket_of("AF_NETLINK", AF_NETLINK, SOCK_RAW, 0);
  socket_of("AF_PACKET", AF_PACKET, SOCK_RAW, 0);
  socket_of("AF_INET, raw", AF_INET, SOCK_RAW, IPPROTO_ICMP);
  socket_of("AF_VSOCK", AF_VSOCK, SOCK_STREAM, 0);
  socket_of("AF_ALG", AF_ALG, SOCK_SEQPACKET, 0);
  network();
  other_processes();
  memory();
  capabilities();
  tried("become root", "", in_child(change_user));
  tried("become root's group", "", in_child(change_group));
  tried("change its root folder", "", in_child(change_root));
  tried("real-time scheduling", "", in_child(change_time_class));
  tried("address randomisation off", "", in_child(change_personality));
  tried("change the host's name", "", in_child(change_host_name));
  tried("new user namespace", "", in_child(new_user_namespace));
  tried("new mount namespace", "", in_child(new_mount_namespace));
  tried("mount", "", in_child(mount_tmpfs));
  tried("trace a process of its own user", "", in_child(seize_parent));
  tried("read the memory of a process of its own user", "", in_child(read_parent));
  tried("dump a core", "", in_child(allow_cores));
  tried("make a set-user-id file", "", in_child(set_user_id_file));
  tried("touch the clock", "", adjtimex(&(struct timex){0}));
  tried("kernel keyring", "", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1));
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  tried("bpf", "", syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
  tried("io_uring", "", syscall(SYS_io_uring_setup, 1, (char[256]){0}));
  tried("Landlock", "", syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION));
  puts("tried everything");
  return 0;
}
