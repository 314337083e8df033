// Keeps keyd's notary (keyd/notary) alive: executes it, and executes it again when it dies, at most ten times a second.
//
// keyd forks the guardian before it has read a key. The guardian reads no input, and can execute the notary's program
// and its loader only, by Landlock and seccomp. Both processes have no file and no descriptor but these, and leave when
// keyd does. A question that killed the notary gets no answer: the asker must not wait for ever.
#pragma once

#include "common/fd.h"
#include "keyd/handover/notary_settings.h"

namespace keyd {

// keyd's end of the socket pair (keyd/handover/question.h), non-blocking and close-on-exec, once the notary has said
// that it can answer. Before there is a second thread, a key in memory, or wolfCrypt's memory is replaced. Throws
// common::ConfigError if no certificate in `ca_pem` can be used, std::runtime_error naming the path if the notary can't
// be executed, std::system_error.
common::Fd start_notary(const NotarySettings& settings);

}  // namespace keyd
