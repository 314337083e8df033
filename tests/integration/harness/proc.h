// What /proc says about a process.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace harness {

size_t open_descriptors(pid_t pid);
size_t peak_memory(pid_t pid);  // VmHWM, bytes
uid_t user_of(pid_t pid);
std::vector<pid_t> children_of(pid_t pid);

// Returns the names of the needles found in the readable memory of `pid`. Needs root if the process is not dumpable.
struct Needle {
  std::string name, bytes;
};
std::vector<std::string> search_memory(pid_t pid, const std::vector<Needle>& needles);

// The secret numbers of a PEM private key in each form that memory may hold: big-endian, little-endian and base64.
std::vector<Needle> secrets_of(const std::string& key_file);

}  // namespace harness
