// The checks of keyd's surroundings: users, socket, audit, clock, kernel.
#include <fcntl.h>
#include <pwd.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "keyd/admin/check.h"
#include "keyd/admin/check_words.h"
#include "keyd/startup/serve.h"

namespace keyd::admin {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000, kDayNs = 86'400 * kSecondNs;
// 2025-01-01, before this program was written.
constexpr int64_t kEarliestNs = 1'735'689'600 * kSecondNs;

// Why this user can't create files there; "" if it can.
std::string why_not_writable(const std::string& directory) {
  struct stat info {};
  if (stat(directory.c_str(), &info) != 0) return strerror(errno);
  if (!S_ISDIR(info.st_mode)) return "it is not a directory";
  return faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) == 0 ? "" : strerror(errno);
}

// A missing part of the sandbox is an error only if the configuration requires the sandbox.
Check missing(const CheckContext& context, std::string found, std::string fix) {
  const bool required = context.settings.require_sandbox;
  return {required ? Result::error : Result::warning,
          std::move(found) + (required ? "; require_sandbox is set: keyd does not start" : ""), std::move(fix)};
}

}  // namespace

std::optional<uid_t> service_uid(const CheckContext& context) {
  if (context.running) return context.running->uid;
  if (context.self != 0) return context.self;
  const uid_t uid = service_uid(context.settings, std::nullopt);
  return uid != 0 ? std::optional(uid) : std::nullopt;
}

std::string service_user(const CheckContext& context) {
  const auto uid = service_uid(context);
  return uid ? user_name(*uid) : "mqtt-keyd";
}

Check check_user(const CheckContext& context) {
  const std::string as = user_name(context.self);
  if (context.running && context.running->uid != context.self && context.self != 0)
    return {Result::warning,
            "this is " + as + ", but keyd runs as " + user_name(context.running->uid) +
                ": it may see other files than keyd does",
            "run this command as " + user_name(context.running->uid) + ", or as root"};
  if (context.self != 0)
    return {Result::ok, context.from_root ? "note: started by root; what follows is what keyd's user, " + as + ", sees"
                                          : "this is " + as};
  if (context.running && context.running->uid == 0)
    return {Result::ok, "this is root, and keyd runs as root; it need not"};
  const std::string user = service_user(context);
  return {Result::ok, "note: this is root; if keyd runs as another user, that user may see less than root",
          "`setpriv --reuid " + user + " --regid " + user + " --clear-groups mqtt-relay check keyd --config " +
              quoted(context.config) + "`"};
}

Check check_presence(const CheckContext& context) {
  if (!context.settings.require_presence)
    return {Result::warning,
            "require_presence is false: an attacker in a worker can sign for every device whose key is here",
            "set require_presence to true in " + context.config + ", then `systemctl restart mqtt-keyd`"};
  // keyd gives out a new mark 16 times a window, and relayd asks for it once a second.
  const int64_t window = context.settings.presence_window.count(),
                least = context.device_wait_ms + context.device_wait_ms / 9;
  const auto seconds = [](int64_t ms) { return std::to_string((ms + 999) / 1000) + "s"; };
  if (window < least)
    return {Result::warning,
            "presence_window is " + seconds(window) + ", but relayd's timeouts give a slow device " +
                seconds(context.device_wait_ms) + " from its handshake to its key's signature; keyd would refuse it",
            "set presence_window to \"" + seconds(least) + "\" in " + context.config +
                ", or shorten handshake_timeout, idle_timeout or connect_timeout of relayd.json"};
  return {Result::ok, "a device's key signs only within " + seconds(window) + " of the device's own handshake"};
}

static std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + quoted(name);
  return text.empty() ? "none" : text;
}

static Check no_notary(const CheckContext& context, const CheckContext::NotaryProblem& problem,
                       const std::string& issued, const std::string& file) {
  return {Result::error, problem.text,
          problem.authorities ? "put there the CAs that issue " + issued + ", PEM, readable to " +
                                    service_user(context) + ": `chmod a+r " + quoted(file) + "`"
                              : "`mqtt-keyd --version`, and reinstall mqtt-relay"};
}

Check check_bind_device(const CheckContext& context) {
  const auto& bind = context.settings.bind_device;
  if (!bind && context.certificate_files && context.settings.require_presence)
    return {
        Result::warning,
        "relayd shows the broker certificates from files (remote.certificate), and keyd lets a device use its key only "
        "if the device itself holds it: with another key it is refused",
        "if the devices have certificates of their own, set bind_device of " + context.config +
            " to the CAs that issue these"};
  if (!bind) return {Result::skipped, "bind_device is not set: a device must hold the key that signs for it"};
  const std::string& file = bind->cacertfile.path;
  if (!context.device_notary.text.empty())
    return no_notary(context, context.device_notary, "the devices' own certificates", file);
  const bool cn = bind->client_id_from == BoundDevice::ClientIdFrom::cn;
  return {Result::ok, "a device's key signs for a device whose own certificate, by the authorities of " + file +
                          ", has its client id as " + (cn ? "common name" : "a DNS or URI name")};
}

Check check_bind_remote(const CheckContext& context) {
  const auto& bind = context.settings.bind_remote;
  if (!bind) return {Result::skipped, "bind_remote is not set: devices' keys sign for any remote broker"};
  const std::string& file = bind->cacertfile.path;
  std::string hosts;
  for (const std::string& host : bind->remote_hosts) hosts += (hosts.empty() ? "" : ", ") + host;
  if (!context.remote_notary.text.empty())
    return no_notary(context, context.remote_notary, "the certificate of " + hosts, file);
  for (const std::string& name : context.remote_names) {
    const auto same = [&](const std::string& host) { return strcasecmp(name.c_str(), host.c_str()) == 0; };
    if (std::ranges::any_of(bind->remote_hosts, same)) continue;
    return {Result::error,
            "keyd signs for " + hosts + " only, and relayd asks for " + name +
                " (remote.server_name_indication, or else remote_host): no device's handshake with it will be signed",
            "set bind_remote.remote_host of " + context.config +
                " to the name that relayd asks for (several: an array), or correct relayd's"};
  }
  if (!context.remote_names.empty() && context.remote_alpn != bind->alpn)
    return {Result::error,
            "keyd signs for the ALPN protocols " + listed(bind->alpn) + ", and relayd offers " +
                listed(context.remote_alpn) + " (remote.alpn): no device's handshake will be signed",
            "set bind_remote.alpn of " + context.config + " to the same list as relayd's remote.alpn"};
  return {Result::ok, "devices' keys sign for " + hosts + " only, by the authorities of " + file};
}

Check check_audit_file(const CheckContext& context) {
  if (!context.settings.audit_file)
    return {Result::skipped, "audit_file is not set: the audit goes to standard output only"};
  const std::string &path = context.settings.audit_file->path, directory = parent_of(path);
  const std::string user = service_user(context);
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    const int error = errno;
    const std::string problem = why_not_writable(directory);
    if (error == ENOENT && problem.empty()) return {Result::ok, path + ": will be created"};
    return {
        Result::error,
        "directory " + directory + ": " + (problem.empty() ? strerror(error) : problem) + "; keyd can't create " + path,
        "`install -d -o " + user + " -m 750 " + quoted(directory) + "`"};
  }
  if (!S_ISREG(info.st_mode)) return {Result::error, path + ": it is not a regular file", "name another one"};
  if (faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0)
    return {Result::error, path + ": " + strerror(errno) + "; without its audit keyd signs nothing",
            "`chown " + user + " " + quoted(path) + "`"};
  if (!context.audit_problem.empty())
    return {Result::error, context.audit_problem, "`mv " + quoted(path) + " " + quoted(path + ".old") + "`"};
  struct statvfs space {};
  if (statvfs(path.c_str(), &space) == 0 && space.f_bavail == 0)
    return {Result::error, path + ": its file system is full; without its audit keyd signs nothing",
            "make room: `df -h " + quoted(directory) + "`"};
  if (info.st_mode & (S_IWGRP | S_IWOTH))
    return {Result::warning, path + ": mode " + octal(info.st_mode) + " lets others write into the audit",
            "`chmod go-w " + quoted(path) + "`"};
  return {Result::ok, path + ": mode " + octal(info.st_mode) + ", owner " + user_name(info.st_uid)};
}

Check check_allowed_users(const CheckContext& context) {
  std::string found;
  const auto service = service_uid(context);
  for (const uid_t uid : context.settings.allowed_uids) {
    if (uid == 0)
      return {Result::warning, "root may ask for signatures; no worker runs as root",
              "take it out of allowed_users in " + context.config};
    if (service && uid == *service)
      return {Result::warning,
              user_name(uid) + " is keyd's own user: a worker that runs as it could read the keys themselves",
              "`adduser --system --group --no-create-home mqtt-relay`, and name mqtt-relay in allowed_users"};
    if (!getpwuid(uid))
      return {Result::warning, "no user on this machine has the number " + std::to_string(uid),
              "name a user of `getent passwd` in allowed_users"};
    found += (found.empty() ? "" : ", ") + user_name(uid);
  }
  return {Result::ok, found};
}

Check check_socket(const CheckContext& context) {
  const std::string &path = context.settings.socket.path, directory = parent_of(path), user = service_user(context);
  if (!context.socket_problem.empty())
    return {Result::error, context.socket_problem, "set socket to a path like \"/run/mqtt-keyd/sign.sock\""};
  struct stat info {};
  if (stat(directory.c_str(), &info) != 0 && errno == ENOENT)
    return {Result::warning, "directory " + directory + " is not there; a systemd unit makes it (RuntimeDirectory=)",
            "without systemd: `install -d -o " + user + " -m 755 " + quoted(directory) + "`"};
  if (const std::string problem = why_not_writable(directory); !problem.empty())
    return {Result::error, "directory " + directory + ": " + problem + "; keyd can't create " + path,
            "`chown " + user + " " + quoted(directory) + "`"};
  if ((info.st_mode & S_IWOTH) && !(info.st_mode & S_ISVTX))
    return {Result::warning, "directory " + directory + ": any user can put another socket there",
            "`chmod 755 " + quoted(directory) + "`"};
  if (!(info.st_mode & S_IXOTH))
    return {Result::warning, "directory " + directory + ": mode " + octal(info.st_mode) + " may keep the workers out",
            "`chmod 755 " + quoted(directory) + "`"};
  if (!context.running) return {Result::ok, path + ": no keyd answers there now"};
  return {Result::ok, path + ": a keyd answers there now, pid " + std::to_string(context.running->pid) + ", user " +
                          user_name(context.running->uid)};
}

Check check_clock(const CheckContext& context) {
  const std::string now = day_of(context.now_ns / kSecondNs),
                    fix = "`timedatectl status`, then `timedatectl set-ntp true`";
  if (context.now_ns < kEarliestNs)
    return {Result::warning, "it is " + now + ", before this program was written: the audit's times will be wrong",
            fix};
  if (context.keys.newest_ns > context.now_ns + kDayNs)
    return {Result::warning,
            "it is " + now + ", but " + context.keys.newest_file + " was changed on " +
                day_of(context.keys.newest_ns / kSecondNs),
            fix};
  return {Result::ok, "it is " + now};
}

Check check_locked_memory(const CheckContext& context) {
  if (!context.locked_memory.empty())
    return {Result::error, context.locked_memory, "LimitMEMLOCK= in the unit, `ulimit -l`, or a lower key_cache"};
  const size_t kib = LockedSlots(context.settings).all() * sizeof(PrivateKey) / 1024;
  const std::string note =
      context.self == 0 ? "; note: root has no limit, but RLIMIT_MEMLOCK applies to keyd's user" : "";
  return {Result::ok, "key_cache " + std::to_string(context.settings.key_cache) + " needs " + grouped(kib) +
                          " KiB, which can be locked" + note};
}

Kernel look_at_kernel() {
  Kernel kernel;
  kernel.landlock_abi = common::landlock_abi();
  kernel.seccomp = common::has_seccomp_filters();
  kernel.memfd_secret = no_secret_memory().empty();
  return kernel;
}

Check check_landlock(const CheckContext& context) {
  if (context.kernel.landlock_abi > 0) return {Result::ok, "ABI " + std::to_string(context.kernel.landlock_abi)};
  return missing(context, "this kernel has no Landlock, or it is off", common::kLandlockRemedy);
}

Check check_seccomp(const CheckContext& context) {
  if (context.kernel.seccomp) return {Result::ok, "filters are available"};
  return missing(context, "this kernel has no seccomp filters", common::kSeccompRemedy);
}

// Better than locked memory, because the kernel itself can't read it, but not needed. Many kernels have it off, so its
// absence is not a warning.
Check check_memfd_secret(const CheckContext& context) {
  if (context.kernel.memfd_secret) return {Result::ok, "available"};
  return {Result::ok, "note: not available; keys are in locked memory instead",
          "Linux 6.5 or later, or boot with secretmem.enable=1"};
}

}  // namespace keyd::admin
