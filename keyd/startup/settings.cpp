#include "keyd/startup/settings.h"

#include <pwd.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "common/log_settings.h"

namespace keyd {
namespace {

// Locked memory limits key_cache, at about 10 KiB a key; a start that can't lock enough says so. Descriptors limit
// connections: a service has 1024 by default.
constexpr int64_t kMostCachedKeys = 100'000, kMostConnections = 1000, kMostSigners = 256, kMostQueued = 65536;

constexpr size_t kMostListenerKeys = 16;

constexpr size_t kMostBrokers = 8;  // as many as relayd's remote_hosts

constexpr common::Milliseconds kLeastWindow{10'000}, kMostWindow{600'000};

std::optional<uid_t> uid_of(const std::string& user) {
  uid_t uid = 0;
  const auto [end, error] = std::from_chars(user.data(), user.data() + user.size(), uid);
  if (error == std::errc() && end == user.data() + user.size() && uid != static_cast<uid_t>(-1)) return uid;
  const passwd* entry = getpwnam(user.c_str());
  return entry ? std::optional(entry->pw_uid) : std::nullopt;
}

std::vector<uid_t> allowed_uids(common::Section& section) {
  const auto users = section.strings("allowed_users", {});
  if (users.empty())
    section.fail(
        "allowed_users",
        "missing or empty: list the users that may ask for signatures, such as [\"mqtt-relay\"]; root is not implied");
  std::vector<uid_t> uids;
  for (const std::string& user : users) {
    const auto uid = uid_of(user);
    if (!uid)
      section.fail("allowed_users", "found \"" + user + "\"; there is no such user on this machine (`getent passwd`)");
    uids.push_back(*uid);
  }
  return uids;
}

std::vector<std::string> listener_keyfiles(common::Section& section) {
  auto files = section.string_or_strings("listener_keyfile");
  if (!section.has("listener_keyfile"))
    section.fail("listener_keyfile",
                 "missing: set it to the PEM file of relayd's own private key, or to a list of them");
  if (files.empty() || files.size() > kMostListenerKeys)
    section.fail("listener_keyfile", "found " + std::to_string(files.size()) + " files; expected 1 to " +
                                         std::to_string(kMostListenerKeys));
  for (size_t i = 0; i < files.size(); i++) {
    if (files[i].empty()) section.fail("listener_keyfile", "found \"\"; expected the PEM file of a private key");
    if (std::find(files.begin(), files.begin() + static_cast<ptrdiff_t>(i), files[i]) !=
        files.begin() + static_cast<ptrdiff_t>(i))
      section.fail("listener_keyfile", "found \"" + files[i] + "\" twice; remove one");
  }
  return files;
}

std::vector<std::string> bound_hosts(common::Section& bind) {
  auto hosts = bind.string_or_strings("remote_host");
  constexpr const char* kWhat = "the name in the remote broker's certificate, relayd's remote_host";
  if (!bind.has("remote_host")) bind.fail("remote_host", std::string("missing: set it to ") + kWhat);
  if (hosts.empty() || hosts.size() > kMostBrokers)
    bind.fail("remote_host", "found " + std::to_string(hosts.size()) + " names; expected 1 to " +
                                 std::to_string(kMostBrokers) + ", as many as relayd's remote_hosts");
  for (const std::string& host : hosts)
    if (host.empty() || host.find_first_of(std::string_view(",\0", 2)) != host.npos)
      bind.fail("remote_host", "found \"" + host + "\"; expected " + kWhat);
  return hosts;
}

BindRemote bind_remote(common::Section bind) {
  BindRemote bound{bound_hosts(bind), bind.strings("alpn", {}), {}};
  bound.cacertfile = {bind.required_string("cacertfile", "the CAs of the remote broker, PEM"),
                      bind.origin("cacertfile")};
  for (const std::string& protocol : bound.alpn)
    if (protocol.empty() || protocol.size() > 255 ||
        protocol.find_first_of(std::string_view(",\0", 2)) != protocol.npos)
      bind.fail("alpn", "found \"" + protocol +
                            "\"; expected protocol names of 1 to 255 bytes without a comma, as in "
                            "relayd's remote.alpn, such as \"mqtt\"");
  bind.finish();
  return bound;
}

BindDevice bind_device(common::Section bind) {
  using From = BoundDevice::ClientIdFrom;
  BindDevice bound;
  bound.cacertfile = {bind.required_string("cacertfile", "the CAs that issue the devices' certificates, PEM"),
                      bind.origin("cacertfile")};
  bound.client_id_from = bind.one_of("client_id_from", "cn", {"cn", "san"}) == "cn" ? From::cn : From::san;
  bound.partial_chain = bind.boolean("partial_chain", false);
  bind.finish();
  return bound;
}

}  // namespace

Settings load_settings(const std::string& file, const Overrides& overrides) {
  auto section = common::Section::load(file, common::kKeydVariables);
  const auto path = [&](const char* key, std::string value) {
    return ConfiguredPath{std::move(value), section.origin(key)};
  };
  Settings settings;
  settings.sources = section.sources();

  const auto keys_dir = section.string("private_keys_dir");
  if (overrides.private_keys_dir)
    settings.private_keys_dir = {*overrides.private_keys_dir, "--private-keys-dir or MQTT_RELAY_PRIVATE_KEYS_DIR"};
  else if (keys_dir) settings.private_keys_dir = path("private_keys_dir", *keys_dir);
  if (settings.private_keys_dir.path.empty())
    section.fail("private_keys_dir",
                 "missing: set it to the directory that holds each device's private key as CLIENTID.pem");
  for (std::string& each : listener_keyfiles(section))
    settings.listener_keyfiles.push_back(path("listener_keyfile", std::move(each)));
  if (const auto file_path = section.string("local_keyfile"))
    settings.local_keyfile = path("local_keyfile", *file_path);
  settings.socket = path(
      "socket", section.required_string("socket", "the socket to listen on, such as \"/run/mqtt-keyd/sign.sock\""));
  settings.allowed_uids = allowed_uids(section);
  settings.allow_tls12_client = section.boolean("allow_tls12_client", true);
  settings.require_presence = section.boolean("require_presence", true);
  settings.presence_window = section.duration("presence_window", "60s");
  if (settings.presence_window < kLeastWindow || settings.presence_window > kMostWindow)
    section.fail("presence_window",
                 "found " + std::to_string(settings.presence_window.count()) +
                     " ms; allowed are 10s to 10m, from a device's handshake to its key's signature");
  settings.require_sandbox = section.boolean("require_sandbox", false);
  if (const auto file_path = section.string("key_passphrase_file"))
    settings.key_passphrase_file = path("key_passphrase_file", *file_path);
  if (const auto file_path = section.string("audit_file")) settings.audit_file = path("audit_file", *file_path);
  if (auto bind = section.section("bind_remote")) settings.bind_remote = bind_remote(std::move(*bind));
  if (auto bind = section.section("bind_device")) settings.bind_device = bind_device(std::move(*bind));
  if (settings.bind_device && !settings.require_presence)
    section.fail("bind_device",
                 "says how a device's presence is proved, but require_presence is false; remove one of the two");
  const auto cores = static_cast<int64_t>(std::max(1u, std::thread::hardware_concurrency()));
  settings.signers = static_cast<size_t>(section.integer("signers", std::min(cores, kMostSigners), 1, kMostSigners));
  settings.max_queue = static_cast<size_t>(section.integer("max_queue", 4096, 1, kMostQueued));
  settings.worker_rate = section.rate("worker_rate", "5000/s");
  settings.key_rate = section.rate("key_rate", "100/s");
  settings.key_cache = static_cast<size_t>(section.integer("key_cache", 256, 1, kMostCachedKeys));
  settings.max_connections = static_cast<size_t>(section.integer("max_connections", 256, 1, kMostConnections));
  const std::string level = section.one_of("log_level", "info", {"debug", "info", "warning", "error"});
  const std::string format = section.one_of("log_format", "auto", {"auto", "json", "text"});
  section.finish();

  settings.log = common::log::settings_of(overrides.log_level.value_or(level), overrides.log_format.value_or(format));
  return settings;
}

}  // namespace keyd
