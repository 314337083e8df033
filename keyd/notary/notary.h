// The process of keyd that reads what comes from the network, and has no keys.
//
// keyd forks a guardian before it has read any; the guardian forks the notary, and another one when that dies, at most
// ten a second. Both have no file, no descriptor but the socket and standard error, and leave when keyd does. A
// question that killed the notary is not answered: who asks must not wait for ever.
#pragma once

#include <string>

#include "common/fd.h"

namespace keyd {

// keyd's end of the socket pair (question.h), non-blocking and close-on-exec. Before there is a second thread, a key in
// memory, or wolfCrypt's memory is replaced. Throws std::runtime_error if no certificate in `ca_pem` can be used, and
// std::system_error.
common::Fd start_notary(const std::string& remote_host, const std::string& ca_pem);

}  // namespace keyd
