// One of our programs, executed by another: found relative to the running program and held open.
//
// It is executed by descriptor, so an upgrade of the package in the meantime changes nothing, and both ends of a
// private protocol come from one build. Unlike a fork, each start has a new address layout and a new stack canary.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/fd.h"
#include "common/hardening.h"
#include "common/syscall_filter.h"

namespace common {

class Program {
 public:
  // Searches relative to this program's own file: PREFIX/libexec/mqtt-relay/NAME when installed, BUILD/libexec/NAME in
  // a build tree, or the same directory if this program is in libexec itself. Throws std::runtime_error naming the
  // paths.
  explicit Program(const std::string& name);

  const std::string& path() const { return path_; }
  int file() const { return file_.get(); }  // O_PATH, close-on-exec

  // Replaces this process with the program: no arguments, an empty environment (except under a sanitizer). The program
  // inherits every descriptor that is not close-on-exec, Landlock, seccomp, ignored signals and PR_SET_PDEATHSIG; it
  // does not inherit "dumpable" (prctl(2)). Returns only on failure, with the cause.
  static std::string execute(int file, const char* name);

  // Replaces this process with the program, with these arguments and this process's environment and terminal: how one
  // of the operator's commands runs another program. Returns only on failure, with the cause.
  std::string become(const std::vector<std::string>& arguments) const;

 private:
  std::string path_;
  Fd file_;
};

// Bytes for a program that is executed, in sealed memory that no process can change (memfd_create(2)). Close-on-exec.
// Throws std::system_error.
Fd sealed(std::string_view bytes);
std::string read_sealed(int fd);

// The files that the dynamic loader needs, for a sandbox in which only `program` may be executed. Libraries are read
// and mapped, which needs no right to execute (landlock(7)); only the loader itself needs it.
class LoaderFiles {
 public:
  explicit LoaderFiles(int program);
  const std::vector<FileRule>& rules() const { return rules_; }

 private:
  void add(const std::string& path, FileRule::Right right);
  std::vector<Fd> files_;
  std::vector<FileRule> rules_;
};

// The system calls from execveat(2) to main() and into the program's own sandbox, with glibc, besides calls::kLog,
// kMemory, kTime and kEnd. For allow_system_calls().
CallList calls_of_start();

}  // namespace common
