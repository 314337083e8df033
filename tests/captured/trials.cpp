#include "tests/captured/trials.h"

#include <sys/mman.h>
#include <sys/socket.h>

namespace captured {

std::vector<Trial> files_sockets_and_code() {
  return {{"nothing", "done"},
          {"open /etc/passwd", "EPERM"},
          {"openat2 /", "EPERM"},
          {"create /tmp/captured", "EPERM"},
          {"socket " + std::to_string(AF_INET) + " 1 0", "EPERM"},
          {"socket " + std::to_string(AF_UNIX) + " 1 0", "EPERM"},
          {"map " + std::to_string(PROT_EXEC), "EPERM"},
          {"mprotect", "EPERM"},
          {"memfd", "EPERM"},
          {"io_uring", "EPERM"},
          {"bpf", "EPERM"},
          {"keyctl", "EPERM"},
          {"userfaultfd", "EPERM"}};
}

std::vector<Trial> signals_to(const std::vector<std::string>& names) {
  std::vector<Trial> trials{{"kill -1 9", "EPERM"}, {"terminal", "EPERM EPERM EPERM"}};
  for (const std::string& name : names) {
    trials.push_back({"kill " + name + " 9", "EPERM"});
    trials.push_back({"owner " + name, "EPERM EPERM EPERM"});
    for (const char* attack : {"tgkill ", "tkill ", "sigqueue ", "pidfd "}) trials.push_back({attack + name, "EPERM"});
  }
  return trials;
}

std::vector<Trial> log_and_protection() {
  return {{"set_flags 2 0", "EPERM"}, {"write_at 2", "EPERM"}, {"dumpable", "EPERM"}, {"death_signal", "EPERM"},
          {"seccomp", "EPERM"},       {"unshare", "EPERM"},    {"setuid", "EPERM"}};
}

}  // namespace captured
