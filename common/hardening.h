// What a process gives up for good before it serves anyone. Linux only; not to be undone.
#pragma once

#include <span>
#include <string>

namespace common {

// Which of standard input, output and error its starter has closed (`2>&-`) stays of no use, EBADF, but its number is
// taken: else the next socket has it, and log lines or the audit go there. First in main().
void keep_standard_numbers();

// Not dumpable (prctl(2): no ptrace, no /proc/PID/mem for its own user, no core), RLIMIT_CORE 0, no new privileges.
// Every kernel that we run on has these: failure throws std::system_error.
void harden_process();

// What stays allowed beneath an open directory, or with one open file (O_PATH will do).
struct FileRule {
  // append: also to create files. read_file, run: the only ones for a file that is no directory; run: execute and read.
  enum Right { read, append, read_file, run };
  int directory;
  Right right;
};

// Landlock: from here on this thread, and threads that it starts, can open, create, rename or execute no file but by
// these rules; and, where the kernel's Landlock can (ABI 6), signal no process outside. They bind and connect freely,
// Unix sockets included. Inherited descriptors stay usable. Returns "" when it is in force, else what the kernel lacks:
// the caller must say so.
std::string forbid_files(std::span<const FileRule> rules = {});

// Landlock for a process that starts others: from here on it, and they, execute nothing but what `programs` names
// (FileRule::run, and what LoaderFiles adds), and write, create or rename no file. They read any file, and make and
// remove Unix sockets. Returns as forbid_files.
std::string forbid_writing(std::span<const FileRule> programs);

}  // namespace common
