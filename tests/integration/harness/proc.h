// What /proc tells about a process.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace harness {

size_t open_descriptors(pid_t pid);
size_t peak_memory(pid_t pid);  // VmHWM, bytes
uid_t user_of(pid_t pid);
std::vector<pid_t> children_of(pid_t pid);

// Names of the needles that occur in the readable memory of `pid`. Root only, for a process that is not dumpable.
struct Needle {
  std::string name, bytes;
};
std::vector<std::string> search_memory(pid_t pid, const std::vector<Needle>& needles);

// The secret numbers of a PEM private key as they may lie in memory: big-endian and little-endian, and its base64.
std::vector<Needle> secrets_of(const std::string& key_file);

}  // namespace harness
