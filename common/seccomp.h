// What a process can ask of the kernel, cut down by a seccomp(2) filter: for good, for all its threads and children.
#pragma once

#include <string>

namespace common {

// From here on: no program is executed, no other process is traced, read, signalled through a pidfd or looked up by
// one, no namespace, mount, keyring, BPF or io_uring call, no sockets but AF_UNIX, AF_INET and AF_INET6, no memory that
// is writable and executable. What is refused fails with EPERM, so that a bug shows in the log instead of ending the
// process. Returns "" when it is in force, else why not: the caller must say so.
std::string forbid_system_calls();

}  // namespace common
