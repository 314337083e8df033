// What a plan says about TLS on either side.
#pragma once

#include "relayd/handover/plan.h"
#include "relayd/tls/context.h"

namespace relayd::tls {

ServerOptions server_options(const Plan& plan);
ClientOptions client_options(const Plan& plan);

}  // namespace relayd::tls
