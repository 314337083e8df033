// The TLS options of listener, remote and local broker, taken from a plan.
#pragma once

#include "common/trust/expiry.h"
#include "relayd/handover/plan.h"
#include "relayd/tls/context.h"

namespace relayd::tls {

// Of Config::listeners[number].
ServerOptions server_options(const Plan& plan, size_t number);
ClientOptions client_options(const Plan& plan, size_t broker);   // `broker`: its place in Config::brokers
std::unique_ptr<ClientContext> local_context(const Plan& plan);  // null: without local.tls

// Of all certificates, CAs and CRLs that the plan names. Errors: as Expiries::add().
std::vector<trust::Expiry> expiries(const Plan& plan);

}  // namespace relayd::tls
