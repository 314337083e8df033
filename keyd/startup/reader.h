// Reads keyd's configuration again for a reload (SIGHUP).
//
// The process with keys parses nothing and opens no configuration. A copy of it does, the reader, made before the first
// key was read. It reads the files with their drop-ins as at the start, compares them with what runs, and answers with
// numbers, or with why nothing changes. It has no key and no network, can write no file and run no program (Landlock,
// seccomp), and exits when keyd does. One datagram asks, one answers (vault/reload.h); SOCK_SEQPACKET.
#pragma once

#include "common/fd.h"
#include "common/syscall_filter.h"
#include "keyd/handover/reload_answer.h"
#include "keyd/startup/settings.h"

namespace keyd {

// Compares what runs with what was read. Sets `running` to it, unless a setting has changed that needs a restart; the
// answer then names each of these.
ReloadAnswer compare(Settings& running, Settings read);

// Starts the reader; returns keyd's end of its socket, non-blocking. Call before there is a second thread or a key in
// memory. `running` was loaded with the same arguments. Throws std::system_error.
common::Fd start_reader(const std::string& config, const Overrides& overrides, const Settings& running);

// What the reader may do.
common::CallList reader_calls();

}  // namespace keyd
