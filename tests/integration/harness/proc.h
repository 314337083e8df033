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
pid_t child_named(pid_t parent, const std::string& name);  // as ps(1) shows it; throws Failure if there is none

// Returns the names of the needles found in the readable memory of `pid`. Needs root if the process is not dumpable.
struct Needle {
  std::string name, bytes;
};
std::vector<std::string> search_memory(pid_t pid, const std::vector<Needle>& needles);

// The secret numbers of a PEM private key in each form that memory may hold: big-endian, little-endian and base64.
std::vector<Needle> secrets_of(const std::string& key_file);

// Pieces of the same key file as a text may show them: of each base64 line, and of each secret number as it is, in
// hexadecimal and in base64. A text that has 23 characters of a line, or 18 bytes of a number, in a row has one of
// them.
std::vector<Needle> printed_secrets_of(const std::string& key_file);

}  // namespace harness
