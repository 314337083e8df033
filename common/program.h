// A program of ours that another one executes: found beside the one that runs, held open, given what it must know.
//
// It is executed by descriptor: a package that is replaced meanwhile changes nothing, so that both ends of a private
// protocol stay of one build. Addresses and stack canaries are new at each birth, unlike a fork's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/fd.h"
#include "common/hardening.h"

namespace common {

class Program {
 public:
  // From where this program's own file lies: PREFIX/libexec/mqtt-relay/NAME as it is installed, BUILD/libexec/NAME as
  // it is built, or beside it, if this program lies in libexec itself. Throws std::runtime_error naming the paths.
  explicit Program(const std::string& name);

  const std::string& path() const { return path_; }
  int file() const { return file_.get(); }  // O_PATH, close-on-exec

  // Becomes the program: no arguments, an empty environment (but a sanitizer's). What is not close-on-exec is
  // inherited, and so are Landlock, seccomp, ignored signals and PR_SET_PDEATHSIG; "dumpable" is not (prctl(2)).
  // Returns why it could not be.
  static std::string execute(int file, const char* name);

  // Becomes the program with these arguments, this process's environment and terminal: what an operator's command does
  // that another program has. Returns why it could not be.
  std::string become(const std::vector<std::string>& arguments) const;

 private:
  std::string path_;
  Fd file_;
};

// Bytes for a program that is executed, in memory that no process can change any more (memfd_create(2)), close-on-exec.
// Throws std::system_error.
Fd sealed(std::string_view bytes);
std::string read_sealed(int fd);

// What the dynamic loader needs, for a sandbox in which `program` and nothing else may be executed. Libraries are read
// and mapped, which takes no right to execute (landlock(7)); only the loader itself does.
class LoaderFiles {
 public:
  explicit LoaderFiles(int program);
  const std::vector<FileRule>& rules() const { return rules_; }

 private:
  void add(const std::string& path, FileRule::Right right);
  std::vector<Fd> files_;
  std::vector<FileRule> rules_;
};

// System calls from execveat(2) to main() and into a sandbox of the program's own, with glibc; for
// allow_system_calls().
std::vector<const char*> calls_of_birth();

}  // namespace common
