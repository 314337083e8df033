// A crashing process logs one last line, with the signal and the thread's stack.
//
//   {"time":"…","level":"error","program":"mqtt-relayd-worker","msg":"crashed","signal":"SIGSEGV","pid":71,"stack":["mqtt-relayd-worker+0x1234",…]}
//
// Addresses are relative to their module, as `addr2line -Cfe MODULE 0x1234` expects. A caller's address is that of its
// call. The line has no function names: looking them up (dladdr(3)) takes a lock, and the crash may have come while it
// was held. The line holds nothing else from the process, and so no secret.
#pragma once

namespace common {

// Reports SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT to standard error from now on. The signal's default action then
// ends the process, so that the parent sees the signal. Sending SIGABRT to a hung process therefore shows where it
// hangs. `program` must be a literal of letters, digits and dashes.
//
// Call once, before entering a sandbox: this function opens libgcc_s and standard error (output.h). The handler itself
// needs rt_sigaction, rt_sigprocmask, getpid, gettid, tgkill and the calls of Output::write: write, or sendto,
// pwritev2, fcntl and ioctl. In the calling thread, the handler runs on a stack of its own, so it also works after a
// stack overflow and on a fiber. Modules that are loaded later are not named. Does nothing under sanitizers, which
// print their own reports.
void report_crashes(const char* program);

}  // namespace common
