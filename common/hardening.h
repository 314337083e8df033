// Privileges that a process gives up for good before it serves a client. Linux only; can't be undone.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace common {

// Occupies the numbers of standard input, output and error that were closed at start (`2>&-`), so that reads and writes
// still fail with EBADF. Otherwise the next socket gets such a number, and log lines or the audit go to it. Call first
// in main().
void keep_standard_numbers();

// Makes the process not dumpable (prctl(2): no ptrace, no /proc/PID/mem for its own user, no core), sets RLIMIT_CORE to
// 0, and forbids new privileges. Every supported kernel has these: failure throws std::system_error.
void harden_process();

// What stays allowed beneath an open directory, or for one open file (O_PATH is enough).
struct FileRule {
  // append allows creating and writing: the caller opens with O_APPEND, as Landlock can't ask for it; run allows
  // execute and read. Only read_file and run apply to a file that is not a directory.
  enum Right { read, append, read_file, run };
  int directory;
  Right right;
};

// Landlock: from here on, this thread and threads that it starts can open, create, rename or execute files only as
// these rules allow. Where the kernel has Landlock ABI 6, they also can't signal a process outside. They bind and
// connect freely, Unix sockets included. Inherited descriptors stay usable. Returns "" once the rules are in force,
// otherwise what the kernel lacks, which the caller must report.
std::string forbid_files(std::span<const FileRule> rules = {});

// The same, and TCP: these threads can connect only to `ports` and bind to none; with `binds`, to port 0, for which the
// kernel chooses one. Where the kernel has Landlock ABI 6,
// they also can't connect to an abstract Unix socket of a process outside. Before ABI 4 the kernel can't restrict
// ports, and `ports` of the result says so; files are forbidden all the same.
struct Lacking {
  std::string files, ports;
};
Lacking forbid_files_and_ports(std::span<const FileRule> rules, std::span<const uint16_t> ports, bool binds = false);

// Landlock for a process that starts others: from here on, it and its children execute only what `programs` names
// (FileRule::run, and what LoaderFiles adds), and can't write, create or rename a file. They can read any file, and
// create and remove Unix sockets. Returns the same as forbid_files.
std::string forbid_writing(std::span<const FileRule> programs);

// Judges what this kernel lacks of a sandbox; an empty text in `missing` stands for a part that is in force. The log
// warns of each missing part. With `required` (the setting require_sandbox), the first one throws std::runtime_error
// instead.
void accept_sandbox(std::span<const std::string> missing, bool required);

}  // namespace common
