// The last words of a process that crashes: one line of the log, with the signal and where the thread was.
//
//   {"time":"…","level":"error","program":"relayd-worker","msg":"crashed","signal":"SIGSEGV","pid":71,"stack":["relayd+0x1234",…]}
//
// Addresses are relative to their module, as `addr2line -Cfe MODULE 0x1234` wants them; a caller's is that of its call.
// There are no names of functions: looking them up (dladdr(3)) takes a lock, and a crash may come while it is held.
// Nothing else of the process is written, so that no secret is.
#pragma once

namespace common {

// From now on SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT are reported to standard error before they end the process,
// as they then do by their default action, so that the parent sees the signal. A SIGABRT from outside so tells where a
// process hangs. `program` must be a literal of letters, digits and dashes.
//
// Once, before a sandbox: it opens libgcc_s and standard error (output.h). The handler itself needs rt_sigaction,
// rt_sigprocmask, getpid, gettid, tgkill and what Output::write does: write, or sendto, pwritev2, fcntl and ioctl. It
// has a stack of its own, for the calling thread: a stack that overflowed, or a fiber's, does it no harm. Modules that
// are loaded later have no name. Does nothing under sanitizers, which have reports of their own.
void report_crashes(const char* program);

}  // namespace common
