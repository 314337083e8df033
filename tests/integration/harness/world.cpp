#include "tests/integration/harness/world.h"

namespace harness {

World::World(const WorldOptions& options) {
  const Endpoint remote_at = options.remote_at.port ? options.remote_at : Endpoint{own_address(), ports::remote};
  const auto server =
      options.remote_server ? *options.remote_server : server_identity("remote", options.remote_type, directory.path());
  if (options.remote == RemoteKind::mosquitto)
    remote = std::make_unique<Mosquitto>(MosquittoOptions{.listen = remote_at,
                                                          .server = server,
                                                          .trusted = options.remote_trusts,
                                                          .version = options.remote_version,
                                                          .passwords = options.remote_passwords,
                                                          .more = options.remote_more,
                                                          .before_exec = options.remote_before_exec},
                                         directory / "remote");
  if (options.remote == RemoteKind::captured)
    captured = std::make_unique<CapturingRemote>(remote_at, server, authorities().root, options.remote_version);

  Json relayd = Json::object();
  if (options.local) {
    local = std::make_unique<Mosquitto>(MosquittoOptions{.listen = {own_address(), ports::local}}, directory / "local");
    relayd["local"] = {{"host", own_address()}, {"port", ports::local}};
  }
  relayd.merge_patch(options.relayd);
  relay_ = std::make_unique<Relay>(
      RelayOptions{.listen = {own_address(), ports::relay},
                   .remote = remote_at,
                   .listener = server_identity("listener", options.listener_type, directory.path()),
                   .keyd = options.keyd,
                   .relayd = relayd,
                   .audit_file = options.audit_file,
                   .keyd_log_file = options.keyd_log_file,
                   .relayd_log_file = options.relayd_log_file,
                   .relayd_before_exec = options.relayd_before_exec},
      directory / "relay");
  if (options.start) relay_->start();
}

Device World::join(const std::string& client_id, int level) {
  const auto identity = device_identity("p256", 1);
  give_key(client_id, identity);
  auto joined = device(identity);
  joined.join(client_id, level);
  return joined;
}

int World::refusal(const Identity& identity, const std::string& client_id, int level) {
  auto refused = device(identity);
  const int code = mqtt::connack_code(refused.connect({.client_id = client_id, .level = level}));
  if (code == 0) throw Failure(client_id + " was accepted");
  const auto ending = refused.tls().read_to_end();
  if (!ending.leftover.empty()) throw Failure("more than CONNACK came for " + client_id);
  return code;
}

std::unique_ptr<Process> World::local_listener() {
  auto process = std::make_unique<Process>(
      ProcessOptions{.argv = {"mosquitto_sub", "-h", own_address(), "-p", std::to_string(ports::local), "-t", "#", "-v",
                              "-i", "listener"}});
  local->log().wait_text("Sending SUBACK to listener");
  return process;
}

std::unique_ptr<Mosquitto> direct_remote(const TempDir& directory, const MosquittoOptions& like) {
  auto options = like;
  options.listen = {own_address(), ports::direct};
  if (!options.server) options.server = server_identity("direct", "p256", directory.path());
  return std::make_unique<Mosquitto>(options, directory / "direct");
}

}  // namespace harness
