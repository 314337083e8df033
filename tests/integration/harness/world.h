// The whole picture on one machine: a remote mosquitto, a local one, keyd and relayd between devices and them.
#pragma once

#include <memory>
#include <string>

#include "tests/integration/harness/capturing_remote.h"
#include "tests/integration/harness/device.h"
#include "tests/integration/harness/mosquitto.h"
#include "tests/integration/harness/relay.h"

namespace harness {

enum class RemoteKind { mosquitto, captured, none };

struct WorldOptions {
  Json keyd = Json::object(), relayd = Json::object();  // merged into the smallest configurations
  RemoteKind remote = RemoteKind::mosquitto;
  bool local = true;  // with a local broker; without it, relayd's built-in empty one
  std::string listener_type = "p256", remote_type = "p256";
  TlsVersion remote_version = TlsVersion::any;
  fs::path remote_trusts = {};                 // who the remote lets in; empty: this PKI's root
  std::optional<Identity> remote_server = {};  // its certificate, if not a good one
  std::string remote_passwords = {}, remote_more = {};
  std::string audit_file = {}, keyd_log_file = {}, relayd_log_file = {};
  Endpoint remote_at = {};  // the remote, if not at this test's own address
  std::function<bool()> remote_before_exec = {}, relayd_before_exec = {};  // into namespaces
  bool start = true;                                                       // keyd and relayd
};

class World {
 public:
  explicit World(const WorldOptions& options = {});

  TempDir directory;
  std::unique_ptr<Mosquitto> remote, local;
  std::unique_ptr<CapturingRemote> captured;
  std::unique_ptr<Relay> relay_;

  Relay& relay() { return *relay_; }
  // A device with that certificate, at the relay's door: TLS is done, MQTT is not.
  Device device(const Identity& identity, TlsVersion version = TlsVersion::any) {
    return Device(identity, relay().endpoint(), version);
  }
  // Straight at the remote broker: an observer, or the same thing without the relay.
  Device direct(const Identity& identity) { return Device(identity, remote->endpoint()); }
  // A client of the local broker, subscribed to everything there.
  std::unique_ptr<Process> local_listener();

  // Connects as a device that is expected to be refused: CONNACK's code, after which the connection must have ended.
  int refusal(const Identity& identity, const std::string& client_id, int level);
  // TCP connections that the remote mosquitto has seen.
  size_t remote_connections() { return remote->log().count_text("New connection from"); }

  void give_key(const std::string& client_id, const Identity& identity) { relay().give_key(client_id, identity.key); }
};

// A second remote like World's, for the same scenario without the relay.
std::unique_ptr<Mosquitto> direct_remote(const TempDir& directory, const MosquittoOptions& like = {});

}  // namespace harness
