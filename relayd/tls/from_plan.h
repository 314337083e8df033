// The TLS options of listener and remote, taken from a plan.
#pragma once

#include "relayd/handover/plan.h"
#include "relayd/tls/context.h"

namespace relayd::tls {

ServerOptions server_options(const Plan& plan);
ClientOptions client_options(const Plan& plan);

}  // namespace relayd::tls
