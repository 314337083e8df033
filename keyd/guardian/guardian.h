// Keeps keyd's notary (keyd/notary) alive: executes it, and executes it again when it dies, at most ten times a second.
//
// keyd asks it to kill a notary that does not answer. If the guardian itself dies, so does the notary, and keyd sees
// the end of its channel.
//
// keyd forks the guardian before it has read a key. The guardian reads no input, and Landlock and seccomp let it
// execute only the notary's program and its loader. Neither process has any other file or descriptor, and both exit
// when keyd does. A question that kills the notary gets no answer, so the asker must use a deadline.
#pragma once

#include "common/syscall_filter.h"
#include "keyd/handover/notary_settings.h"
#include "keyd/handover/question.h"

namespace keyd {

// Returns keyd's ends (keyd/handover/question.h), non-blocking and close-on-exec, once the notary has said that it can
// answer. Call before there is a second thread or a key in memory, and before wolfCrypt's memory is replaced. Throws
// common::ConfigError if no certificate in `ca_pem` can be used, std::runtime_error naming the path if the notary can't
// be executed, std::system_error.
NotaryEnds start_notary(const NotarySettings& settings);

// For a process that keyd has forked: it gets a name, of at most 15 bytes, and a session of its own, dies when keyd
// does
// (`keyd` is its pid, in case it is gone already), and ignores the signals with which a terminal or systemd stops keyd.
// Throws std::system_error.
void begin_as_child(const char* name, pid_t keyd);

// What the guardian may do, and the notary until it enters its own sandbox.
common::CallList guardian_calls();

}  // namespace keyd
