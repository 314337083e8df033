// Says why keyd has no signature for a device, and what the operator does about it. Pure.
#pragma once

#include <string>
#include <string_view>

#include "ipc/protocol.h"

namespace relayd {

struct KeyAdvice {
  std::string problem;  // for the log; a clause
  std::string fix;
};

// keyd's answer to a request for the key of `client_id`; `spki` is that of the certificate that the remote broker sees.
// `status` is neither ok nor not_found.
KeyAdvice advice_on_key(ipc::Status status, std::string_view client_id, const ipc::Spki& spki);

}  // namespace relayd
