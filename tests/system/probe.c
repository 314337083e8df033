// Tries what a service may not do, and prints for each try what came of it: "name: success", or the error's name.
//
// sandbox_test puts it in the place of keyd and of relayd, so that it runs as their units run them. Static, as nothing says
// that it could load a library.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char* what, const char* on, long result) {
  printf("%s%s%s: %s\n", what, on[0] ? " " : "", on, result >= 0 ? "success" : strerrorname_np(errno));
}

static void read_file(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  char byte;
  say("read", path, fd < 0 ? -1 : read(fd, &byte, 1));
  if (fd >= 0) close(fd);
}

static void list(const char* path) {
  DIR* directory = opendir(path);
  say("list", path, directory ? 0 : -1);
  if (directory) closedir(directory);
}

static void write_below(const char* folder) {
  char path[256];
  snprintf(path, sizeof path, "%s/probe", folder);
  const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  say("write", folder, fd);
  if (fd >= 0) close(fd), unlink(path);
}

static void execute(const char* path) {
  const pid_t child = fork();
  if (child == 0) {
    char* const argv[] = {(char*)path, NULL};
    execv(path, argv);
    _exit(errno);
  }
  int status = 0;
  waitpid(child, &status, 0);
  errno = WEXITSTATUS(status);
  say("execute", path, errno == 0 ? 0 : -1);
}

static void open_socket(const char* name, int family, int type) {
  const int fd = socket(family, type | SOCK_CLOEXEC, 0);
  say("socket", name, fd);
  if (fd >= 0) close(fd);
}

static void other_processes(void) {
  int others = 0;
  DIR* proc = opendir("/proc");
  for (struct dirent* entry; proc && (entry = readdir(proc));)
    others += atoi(entry->d_name) > 0 && atoi(entry->d_name) != getpid();
  if (proc) closedir(proc);
  printf("other processes: %d\n", others);
}

static void interfaces(void) {
  char line[256];
  FILE* status = fopen("/proc/self/net/dev", "re");
  int count = -2;  // two lines of titles
  while (status && fgets(line, sizeof line, status)) count++;
  if (status) fclose(status);
  printf("interfaces: %d\n", count);
}

static void own_status(void) {
  char line[256];
  FILE* status = fopen("/proc/self/status", "re");
  while (status && fgets(line, sizeof line, status))
    if (!strncmp(line, "Cap", 3) || !strncmp(line, "NoNewPrivs", 10) || !strncmp(line, "Seccomp:", 8)) {
      line[strcspn(line, "\n")] = '\0';
      char* value = strchr(line, '\t');
      *value++ = '\0';
      printf("%s %s\n", line, value);
    }
  if (status) fclose(status);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  list("/etc/mqtt-relay/keys");
  read_file("/etc/mqtt-relay/keys/sensor-1.pem");
  read_file("/etc/mqtt-relay/listener.key");
  read_file("/etc/mqtt-relay/listener.pem");
  read_file("/etc/shadow");
  list("/root");
  const char* folders[] = {"/etc/mqtt-relay", "/etc/mqtt-relay/keys", "/usr", "/var/lib", "/var/log/mqtt-keyd", "/run/mqtt-relay"};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) write_below(folders[i]);
  execute("/bin/true");
  execute("/bin/sh");
  open_socket("AF_UNIX", AF_UNIX, SOCK_SEQPACKET);
  open_socket("AF_INET", AF_INET, SOCK_STREAM);
  open_socket("AF_INET6", AF_INET6, SOCK_STREAM);
  open_socket("AF_NETLINK", AF_NETLINK, SOCK_RAW);
  open_socket("AF_PACKET", AF_PACKET, SOCK_RAW);
  open_socket("AF_ALG", AF_ALG, SOCK_SEQPACKET);
  open_socket("AF_VSOCK", AF_VSOCK, SOCK_STREAM);
  void* memory = mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  say("memory to write and execute", "", memory == MAP_FAILED ? -1 : 0);
  say("new user namespace", "", unshare(CLONE_NEWUSER));
  say("trace another process", "", ptrace(PTRACE_SEIZE, 1, 0, 0));
  say("become root", "", setuid(0));
  say("set-user-id file", "", fchmodat(AT_FDCWD, "/run/mqtt-relay", 04755, 0));
  say("io_uring", "", syscall(SYS_io_uring_setup, 1, NULL));
  say("bpf", "", syscall(SYS_bpf, 0, NULL, 0));
  say("kernel keyring", "", syscall(SYS_keyctl, 0, -3, 0));
  say("process_vm_readv", "", syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0));
  other_processes();
  interfaces();
  own_status();
  puts("end of probe");
  return 0;
}
