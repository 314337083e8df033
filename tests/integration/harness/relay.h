// keyd and relayd, started as an operator would, as two separate users when the test runs as root.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/integration/harness/address.h"
#include "tests/integration/harness/notify_socket.h"
#include "tests/integration/harness/operator.h"
#include "tests/integration/harness/pki.h"
#include "tests/integration/harness/process.h"

namespace harness {

// Users that do not exist on any machine. When the tests run as root, the two programs run as these.
inline constexpr uid_t keyd_user = 64101, relay_user = 64102;

struct RelayOptions {
  Endpoint listen = {}, remote = {};
  Identity listener = {};
  Json keyd = Json::object();  // merged into the minimal configuration; null removes a key
  Json relayd = Json::object();
  std::vector<std::string> keyd_arguments = {}, relayd_arguments = {};  // in addition to --config
  std::vector<std::string> environment = {};                            // for both
  std::string audit_file = {};                                          // keyd's standard output; empty: a pipe
  std::string keyd_log_file = {}, relayd_log_file = {};                 // their standard errors; empty: a pipe
  std::function<bool()> keyd_before_exec = {}, relayd_before_exec = {};
  std::vector<int> relayd_sockets = {};  // as ProcessOptions::sockets
};

// Whether a line of the log says how a connection of a device ended.
bool is_end(const Json& line);

class Relay {
 public:
  Relay(const RelayOptions& options, const fs::path& directory);
  // Stops both with SIGTERM. A program that does not exit with 0 fails the test; sanitizers report then.
  ~Relay();

  const Endpoint& endpoint() const { return options_.listen; }
  fs::path keys() const { return directory_ / "keys"; }
  fs::path keyd_configuration() const { return directory_ / "keyd.json"; }
  fs::path relayd_configuration() const { return directory_ / "relayd.json"; }

  // Copies the key to where keyd looks for the key of `client_id`.
  void give_key(const std::string& client_id, const fs::path& key_file);
  // The same for a listener's key beside the first one. Returns its path, for listener_keyfile.
  std::string give_listener_key(const std::string& file_name, const fs::path& key_file);
  void give_file(const std::string& file_name, std::string_view content, unsigned mode = 0600);

  // Wait for READY=1. `start` starts keyd, then relayd.
  void start();
  void start_keyd();
  void start_relayd();
  // Runs mqtt-relay with these words, from a copy that both users can execute.
  ProcessOptions operator_command(std::vector<std::string> words) const;
  // The same for a command about relayd, with its configuration: `mqtt-relay status --config …`. Waits until it exits.
  Finished ask_relayd(std::vector<std::string> words) const;
  // Runs the daemon until it exits, for configurations that it must refuse.
  Finished run_keyd();
  Finished run_relayd();

  // Sends SIGHUP to relayd; returns the log line with the outcome.
  Json reload();
  // What relayd has sent to its service manager since it was ready.
  NotifySocket& notified() { return *notify_; }

  Process& keyd() { return *keyd_; }
  Process& relayd() { return *relayd_; }
  LineLog& audit() { return keyd_->out(); }
  LineLog& log() { return relayd_->err(); }
  // relayd's next log line, after `mark`, about a session that came up or about a connection that ended.
  Json session_up(size_t mark = 0);
  Json session_closed(size_t mark = 0);
  // The pids of the workers that serve now, by slot.
  std::vector<pid_t> workers();
  // The pid of the newest connector.
  pid_t connector();
  // The pid of the worker that replaced slot `worker` after `mark` of the log.
  pid_t wait_worker_started(int worker, size_t mark);

  // Merges a change into a configuration file (RFC 7386: null removes a key). It takes effect at the next start.
  void patch_keyd(const Json& change);
  void patch_relayd(const Json& change);
  RelayOptions& options() { return options_; }

 private:
  void put_for_keyd(const fs::path& file, std::string_view content, unsigned mode);
  void write_configurations();
  ProcessOptions keyd_command() const;
  ProcessOptions relayd_command() const;

  RelayOptions options_;
  fs::path directory_;
  std::unique_ptr<NotifySocket> notify_;  // of relayd
  std::unique_ptr<Process> keyd_, relayd_;
};

}  // namespace harness
