// A real mosquitto: the remote broker (mutual TLS, the certificate's common name is the user, an ACL by that user) or
// the local one (plain TCP).
#pragma once

#include <memory>
#include <string>

#include "tests/integration/harness/address.h"
#include "tests/integration/harness/pki.h"
#include "tests/integration/harness/process.h"
#include "tests/integration/harness/tls_stream.h"

namespace harness {

struct MosquittoOptions {
  Endpoint listen = {};
  std::optional<Identity> server = {};  // TLS with a client certificate required; without it plain TCP, anybody may
  fs::path trusted = {};                // who signed the clients; empty: authorities().root
  TlsVersion version = TlsVersion::any;
  // With it, users and their passwords count, and the certificate only lets in: "name:password" lines.
  std::string passwords = {};
  std::string more = {};  // lines of mosquitto.conf
  std::function<bool()> before_exec = {};
};

// Who may do what at a remote: everybody may write and read under any/, only the user NAME may write under only/NAME/
// and will/NAME, and everybody may read those.
class Mosquitto {
 public:
  Mosquitto(const MosquittoOptions& options, const fs::path& directory);
  // A test that fails shows the broker's log.
  ~Mosquitto();

  const Endpoint& endpoint() const { return options_.listen; }
  LineLog& log() { return process_->err(); }
  // Waits until the broker says that `client_id` came, and returns the user that it came as ("" if it names none).
  std::string user_of(const std::string& client_id, size_t mark = 0);
  void wait_gone(const std::string& client_id, size_t mark = 0);
  size_t connections_of(const std::string& client_id, size_t mark = 0);
  Process& process() { return *process_; }
  void restart();

 private:
  void start();
  MosquittoOptions options_;
  fs::path directory_, configuration_;
  std::unique_ptr<Process> process_;
};

}  // namespace harness
