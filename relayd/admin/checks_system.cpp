// The checks of relayd's surroundings: user, address, descriptors, kernel.
#include <unistd.h>

#include "relayd/admin/check.h"
#include "relayd/supervisor/listen.h"

namespace relayd::admin {
namespace {

constexpr uint64_t kOtherFiles = 64;  // of a worker: listeners, keyd, log, event loop

}  // namespace

Check check_user(const CheckContext& context) {
  const std::string as = common::user_name(context.self);
  const auto& running = context.running;
  if (running && running->uid != context.self)
    return {Result::warning,
            "this is " + as + ", but relayd runs as " + common::user_name(running->uid) +
                ": it may see other files than relayd does",
            "run this command as " + common::user_name(running->uid) + ", or as root"};
  if (context.self != 0)
    return {Result::ok, context.from_root
                            ? "note: started by root; what follows is what relayd's user, " + as + ", sees"
                            : "this is " + as};
  if (running)
    return {Result::warning, "this is root, and relayd runs as root; it need not", "run relayd as mqtt-relay"};
  return {Result::warning, "this is root, and there is no user mqtt-relay: relayd's user may see less than root",
          "`adduser --system --group --no-create-home mqtt-relay`"};
}

namespace {

Check address_of(const CheckContext& context, const Config::Listener& listener) {
  const auto& [host, port] = listener.bind;
  const std::string where =
      (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
  const std::string find = "`ss -ltnp 'sport = :" + std::to_string(port) + "'` shows who listens there";
  if (context.running)
    return {Result::ok,
            "relayd is running, pid " + std::to_string(context.running->pid) + "; " + where + " was not tried"};
  try {
    require_address(listener);
    return {Result::ok, where + " is free"};
  } catch (const AddressInUse&) {
    return {Result::skipped,
            where + " is in use: by mqtt-relayd.socket or a relayd that can't be asked, or by another program", find};
  } catch (const common::ConfigError& error) {
    return {Result::error, error.what(), "set " + listener.setting_of("bind") + " in " + context.config_file};
  }
}

}  // namespace

Check check_listener_address(const CheckContext& context) { return each_listener(context, address_of); }

// Each device needs two descriptors: for its connection and for the one to the broker.
Check check_open_files(const CheckContext& context) {
  const rlim_t limit = context.open_files.rlim_cur;
  const std::string whose = context.running ? " of relayd" : " of this shell (a unit has LimitNOFILE=)";
  const auto workers = static_cast<uint64_t>(context.config.workers);
  const uint64_t carried = limit > kOtherFiles ? (limit - kOtherFiles) / 2 * workers : 0;
  std::optional<uint64_t> most = 0;  // of all listeners together; nullopt: infinity
  std::string settings;
  for (const auto& listener : context.config.listeners) {
    most = most && listener.max_connections ? std::optional(*most + *listener.max_connections) : std::nullopt;
    settings.append(settings.empty() ? "" : " + ").append(listener.setting_of("max_connections"));
  }
  const std::string found = "limit" + whose + ": " + (limit == RLIM_INFINITY ? "none" : common::grouped(limit)) +
                            (limit == RLIM_INFINITY ? ""
                                                    : ", some " + common::grouped(carried) + " devices in " +
                                                          common::counted(workers, "worker"));
  if (!most || limit == RLIM_INFINITY || *most <= carried) return {Result::ok, found};
  const std::string needed = std::to_string(2 * share_of(*most, 0, context.config.workers) + kOtherFiles);
  return {Result::warning, found + ", but " + settings + " is " + common::grouped(*most),
          "LimitNOFILE=" + needed + " by `systemctl edit mqtt-relayd`; without systemd `ulimit -n " + needed + "`"};
}

// Without Landlock or seccomp, relayd logs a warning and continues.
Check check_landlock(const CheckContext& context) {
  if (context.landlock_abi > 0) return {Result::ok, "ABI " + std::to_string(context.landlock_abi)};
  return {Result::warning, "this kernel has no Landlock, or it is off: a worker could open files",
          common::kLandlockRemedy};
}

Check check_seccomp(const CheckContext& context) {
  if (context.seccomp) return {Result::ok, "filters are available"};
  return {Result::warning, "this kernel has no seccomp filters: a worker may make any system call",
          common::kSeccompRemedy};
}

}  // namespace relayd::admin
