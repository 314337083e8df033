// The whole system on one machine: a remote mosquitto, a local mosquitto, keyd and relayd, with devices between them.
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
  Json keyd = Json::object(), relayd = Json::object();  // merged into the minimal configurations
  RemoteKind remote = RemoteKind::mosquitto;
  bool local = true;  // with a local broker; without it, relayd's built-in, empty broker
  std::string listener_type = "p256", remote_type = "p256";
  TlsVersion remote_version = TlsVersion::any;
  fs::path remote_trusts = {};                 // CA of the clients that the remote admits; empty: this PKI's root
  std::optional<Identity> remote_server = {};  // the remote's certificate; without a value a valid one
  std::string remote_passwords = {}, remote_more = {};
  std::string audit_file = {}, keyd_log_file = {}, relayd_log_file = {};
  Endpoint remote_at = {};  // the remote's address, if not this test's own
  std::function<bool()> remote_before_exec = {}, relayd_before_exec = {};  // run in the child, for namespaces
  bool start = true;                                                       // whether to start keyd and relayd
};

class World {
 public:
  explicit World(const WorldOptions& options = {});

  TempDir directory;
  std::unique_ptr<Mosquitto> remote, local;
  std::unique_ptr<CapturingRemote> captured;
  std::unique_ptr<Relay> relay_;

  Relay& relay() { return *relay_; }
  // A device with this certificate, connected to the relay: TLS is done, MQTT is not.
  Device device(const Identity& identity, TlsVersion version = TlsVersion::any) {
    return Device(identity, relay().endpoint(), version);
  }
  // A device with a key on the gateway, and a session.
  Device join(const std::string& client_id, int level = mqtt::v311);
  // Connects directly to the remote broker: an observer, or the same scenario without the relay.
  Device direct(const Identity& identity) { return Device(identity, remote->endpoint()); }
  // A client of the local broker that subscribes to everything.
  std::unique_ptr<Process> local_listener();

  // Connects as a device that must be refused. Returns CONNACK's code once the connection has ended.
  int refusal(const Identity& identity, const std::string& client_id, int level);
  // The number of TCP connections that the remote mosquitto has seen.
  size_t remote_connections() { return remote->log().count_text("New connection from"); }

  void give_key(const std::string& client_id, const Identity& identity) { relay().give_key(client_id, identity.key); }
};

// A second remote like World's, to run the same scenario without the relay.
std::unique_ptr<Mosquitto> direct_remote(const TempDir& directory, const MosquittoOptions& like = {});

}  // namespace harness
