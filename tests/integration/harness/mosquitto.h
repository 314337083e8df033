// A real mosquitto as the remote broker (mutual TLS; the certificate's common name is the user; an ACL by user) or as
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
  std::optional<Identity> server =
      {};                 // TLS with a mandatory client certificate; without a value plain TCP for every client
  fs::path trusted = {};  // CA of the clients; empty: authorities().root
  TlsVersion version = TlsVersion::any;
  // "name:password" lines. If set, the user comes from the password login, and the certificate only admits the client.
  std::string passwords = {};
  std::string more = {};  // lines of mosquitto.conf
  std::function<bool()> before_exec = {};
};

// The remote's ACL: every user may write and read under any/. Only user NAME may write under only/NAME/ and will/NAME;
// every user may read those.
class Mosquitto {
 public:
  Mosquitto(const MosquittoOptions& options, const fs::path& directory);
  // Shows the broker's log if the test has failed.
  ~Mosquitto();

  const Endpoint& endpoint() const { return options_.listen; }
  LineLog& log() { return process_->err(); }
  // Waits until the broker logs that `client_id` connected. Returns its user, or "" if the log names none.
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
