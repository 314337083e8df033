// relayd's half of `mqtt-relay check`: would relayd start and relay with this configuration, and if not, what must be
// done?
//
// Each check is one function with a name. It calls relayd's own code wherever relayd itself judges, so that the verdict
// can't differ from the daemon's. Changes nothing. Connects to keyd, to the control socket and, without a certificate
// or as a device (client_check.h), to the remote broker; each wait has a deadline.
#pragma once

#include <sys/resource.h>
#include <sys/socket.h>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/operator/checks.h"
#include "relayd/handover/socket_address.h"
#include "relayd/supervisor/key_check.h"
#include "relayd/supervisor/load.h"

namespace relayd::admin {

using common::Check, common::Result;
struct AsDevice;  // remote_probe.h

struct CheckOptions {
  std::string config;
  Overrides overrides;
  bool as_service_user = false;  // root becomes relayd's user first, for good
};

// What the checks look at, gathered once.
struct CheckContext {
  std::string config_file;
  Config config;  // its remote_host may be missing
  struct Resolved {
    std::vector<SocketAddress> addresses;
    std::string problem;  // why there is none
  };
  std::optional<ucred> running;                      // the process that listens on the control socket
  rlimit open_files{};                               // of the running relayd, otherwise of this process
  std::string keyd_problem, keyd_fix;                // why keyd does not serve this user; "": it does
  std::optional<OwnKeyCheck::Verdict> listener_key;  // if there are all certificates and a keyd
  std::vector<Resolved> brokers;                     // in the order of config.brokers; or of their proxy
  long landlock_abi = 0;
  bool seccomp = false;
  int64_t now = 0;  // unix time, in seconds
  uid_t self = 0;
  bool from_root = false;  // it was root before
};

Check check_user(const CheckContext& context);
Check check_listener_certificate(const CheckContext& context);
Check check_device_authorities(const CheckContext& context);
Check check_revocation_lists(const CheckContext& context);
Check check_remote_authorities(const CheckContext& context);
Check check_device_certificates(const CheckContext& context);
Check check_keyd(const CheckContext& context);
Check check_listener_key(const CheckContext& context);
Check check_source_addresses(const CheckContext& context);
Check check_remote_name(const CheckContext& context);
Check check_remote(const CheckContext& context);
Check check_local_broker(const CheckContext& context);
Check check_devices(const CheckContext& context);
Check check_listener_address(const CheckContext& context);
Check check_open_files(const CheckContext& context);
Check check_landlock(const CheckContext& context);
Check check_seccomp(const CheckContext& context);

// One check of each listener, combined.
using ListenerCheck = Check (*)(const CheckContext& context, const Config::Listener& listener);
Check each_listener(const CheckContext& context, ListenerCheck check);

// One check of each remote broker, combined. `nth`: its place in Config::brokers.
Check each_broker(const CheckContext& context, const std::function<Check(size_t nth)>& check);
// Connects to that broker: without a certificate, or as a device.
Check check_broker(const CheckContext& context, size_t nth, const AsDevice* as = nullptr);

// Whether keyd answers, and whether it has the keys of the listeners' certificates.
void ask_keyd(CheckContext& context);

// Reads the configuration, with `as_service_user` as relayd's user, which this process then is, and resolves the
// brokers' names. No context: the configuration can't be read; the check says why.
std::pair<Check, std::optional<CheckContext>> look_around(const CheckOptions& options);

struct NamedCheck {
  const char* name;
  Check (*run)(const CheckContext&);
};
// Appends the outcome of each; without a context, all are skipped.
void run(std::span<const NamedCheck> checks, const std::optional<CheckContext>& context, std::vector<Check>& outcomes);

// Runs all checks, in the order in which an operator would repair things.
std::vector<Check> run_checks(const CheckOptions& options);

}  // namespace relayd::admin
