#include "keyd/startup/reader.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "common/hardening.h"
#include "common/program.h"
#include "keyd/guardian/guardian.h"

namespace keyd {
namespace {

namespace log = common::log;
using namespace common::calls;

// Added to the calls that a program needs for its start: the drop-ins, the channel, and what libc asks for a user.
// clang-format off
constexpr common::Call kReading[] = {
    "getdents64", "recvfrom", {"sendto", is_null(4)},
    {"socket", is(0, AF_UNIX)}, "connect", "poll", "ppoll", "lseek",
};
// clang-format on

std::vector<std::string> paths_of(const std::vector<ConfiguredPath>& all) {
  std::vector<std::string> paths;
  for (const ConfiguredPath& one : all) paths.push_back(one.path);
  return paths;
}

std::optional<std::string> path_of(const std::optional<ConfiguredPath>& one) {
  return one ? std::optional(one->path) : std::nullopt;
}

bool same(const std::optional<BindRemote>& a, const std::optional<BindRemote>& b) {
  return a.has_value() == b.has_value() &&
         (!a || (a->remote_hosts == b->remote_hosts && a->alpn == b->alpn && a->cacertfile.path == b->cacertfile.path));
}

bool same(const std::optional<BindDevice>& a, const std::optional<BindDevice>& b) {
  return a.has_value() == b.has_value() &&
         (!a || (a->client_id_from == b->client_id_from && a->partial_chain == b->partial_chain &&
                 a->cacertfile.path == b->cacertfile.path));
}

std::string needs_restart(const Settings& a, const Settings& b) {
  std::string names;
  const auto check = [&](const char* name, bool is_same) {
    if (!is_same) names.append(names.empty() ? "" : ", ").append(name);
  };
  check("private_keys_dir", a.private_keys_dir.path == b.private_keys_dir.path);
  check("listener_keyfile", paths_of(a.listener_keyfiles) == paths_of(b.listener_keyfiles));
  check("local_keyfile", path_of(a.local_keyfile) == path_of(b.local_keyfile));
  check("socket", a.socket.path == b.socket.path);
  check("allowed_users", a.allowed_uids == b.allowed_uids);
  check("key_passphrase_file", path_of(a.key_passphrase_file) == path_of(b.key_passphrase_file));
  check("require_presence", a.require_presence == b.require_presence);
  check("presence_window", a.presence_window == b.presence_window);
  check("bind_remote", same(a.bind_remote, b.bind_remote));
  check("bind_device", same(a.bind_device, b.bind_device));
  check("signers", a.signers == b.signers);
  check("key_cache", a.key_cache == b.key_cache);
  check("audit_file", path_of(a.audit_file) == path_of(b.audit_file));
  check("require_sandbox", a.require_sandbox == b.require_sandbox);
  return names;
}

std::string changes(const Settings& a, const Settings& b) {
  std::string names;
  const auto check = [&](const char* name, bool is_same) {
    if (!is_same) names.append(names.empty() ? "" : ", ").append(name);
  };
  check("allow_tls12_client", a.allow_tls12_client == b.allow_tls12_client);
  check("worker_rate", a.worker_rate == b.worker_rate);
  check("key_rate", a.key_rate == b.key_rate);
  check("max_queue", a.max_queue == b.max_queue);
  check("max_connections", a.max_connections == b.max_connections);
  check("log_level", a.log.level == b.log.level);
  check("log_format", a.log.format == b.log.format);
  return names;
}

ReloadAnswer answer_of(bool ok, const std::string& text) {
  ReloadAnswer answer{.ok = ok, .now = {}};
  strncpy(answer.text, text.c_str(), sizeof answer.text - 1);
  return answer;
}

ReloadAnswer read_again(const std::string& config, const Overrides& overrides, Settings& running) {
  try {
    return compare(running, load_settings(config, overrides));
  } catch (const std::exception& error) {
    return answer_of(false, error.what());
  }
}

[[noreturn]] void be_reader(int channel, pid_t keyd, const std::string& config, const Overrides& overrides,
                            Settings running) {
  constexpr int kChannel = 3;
  try {
    begin_as_child("keyd-reader", keyd);
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO}) close(standard);
    if (channel != kChannel && dup2(channel, kChannel) < 0)
      throw std::system_error(errno, std::generic_category(), "dup2");
    close_range(kChannel + 1, ~0u, 0);
    common::harden_process();
    for (const std::string& missing : {common::forbid_writing({}), common::allow_system_calls(reader_calls())})
      if (!missing.empty())
        log::warning("sandbox_weaker", "the configuration's reader runs without a part of its sandbox",
                     {{"missing", missing}});
    char word;
    ssize_t got;
    while ((got = recv(kChannel, &word, sizeof word, 0)) > 0 || (got < 0 && errno == EINTR)) {
      if (got < 0) continue;
      const ReloadAnswer answer = read_again(config, overrides, running);
      send(kChannel, &answer, sizeof answer, MSG_NOSIGNAL);
      log::flush();
    }
  } catch (const std::exception& error) {
    log::error("reader_failed", "the configuration's reader fails", {{"cause", error.what()}});
  }
  _exit(0);
}

}  // namespace

common::CallList reader_calls() {
  return common::joined({kReading, common::calls_of_start(), kLog, kMemory, kTime, kEnd});
}

ReloadAnswer compare(Settings& running, Settings read) {
  if (const std::string names = needs_restart(running, read); !names.empty())
    return answer_of(false, names + " can't be changed by a reload; restart keyd: `systemctl restart mqtt-keyd`");
  ReloadAnswer answer = answer_of(true, changes(running, read));
  answer.now = {read.allow_tls12_client, read.max_queue, read.max_connections, read.worker_rate,
                read.key_rate,           read.log.level, read.log.format};
  running = std::move(read);
  return answer;
}

common::Fd start_reader(const std::string& config, const Overrides& overrides, const Settings& running) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  common::Fd ours(ends[0]);
  const common::Fd theirs(ends[1]);
  const pid_t keyd = getpid(), reader = fork();
  if (reader < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (reader == 0) be_reader(theirs.get(), keyd, config, overrides, running);
  if (fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0)
    throw std::system_error(errno, std::generic_category(), "fcntl(O_NONBLOCK)");
  return ours;
}

}  // namespace keyd
