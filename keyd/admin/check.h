// keyd's half of `mqtt-relay check`: would keyd start and serve with this configuration, and if not, what must be done?
//
// Each check is one function with a name. It calls keyd's own code wherever keyd itself judges, so that the verdict
// can't differ from the daemon's. Changes nothing; connects to the socket to see whether a keyd answers.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/operator/checks.h"
#include "keyd/admin/key_scan.h"
#include "keyd/admin/terminal.h"
#include "keyd/startup/socket.h"

namespace keyd::admin {

using common::Check, common::Result;

struct CheckOptions {
  std::string config;
  Overrides overrides;
  std::string listener_certificate;  // "": not given
  bool certificate_files = false;    // relayd's remote.certificate is "file"
  int64_t device_wait_ms = 0;        // relayd allows it from a device's handshake to its key's signature; 0: unknown
  // The names that relayd asks its brokers for, and its remote.alpn; none: not given
  std::vector<std::string> remote_names{};
  std::vector<std::string> remote_alpn{};
  bool configuration_only = false;
  bool as_service_user = false;  // root becomes keyd's user first, for good
};

// What one pass over the key directory found. Bounded in size, however many files there are.
struct KeyCounts {
  std::string failure;  // why there was no pass
  uint64_t usable = 0, unusable = 0, unnamed = 0;
  std::map<std::string, uint64_t> by_type;           // "rsa 2048" → how many
  std::vector<std::string> problems, unnamed_files;  // the first few
  uint64_t decomposed = 0, twins = 0;  // names in NFD; names that differ from another only in case or form
  std::vector<std::string> decomposed_files, twin_files;
  int64_t newest_ns = 0;
  std::string newest_file;
  uint64_t shared = 0;  // devices' keys that are relayd's own too
  std::vector<std::string> shared_files;
};

// What this kernel offers to confine keyd.
struct Kernel {
  long landlock_abi = 0;  // 0: none
  bool seccomp = false, memfd_secret = false;
};
Kernel look_at_kernel();

// What the checks look at, gathered once.
struct CheckContext {
  Settings settings;
  std::string config, listener_certificate;
  std::vector<std::string> remote_names;
  std::vector<std::string> remote_alpn;
  int64_t device_wait_ms = 0;
  bool certificate_files = false;
  std::string certificate_pem, certificate_problem;
  struct NotaryProblem {
    std::string text;                             // why the notary can't judge handshakes; "": it can
    bool authorities = false;                     // because of its cacertfile
  } remote_notary, device_notary;                 // for bind_remote, bind_device
  std::string locked_memory;                      // why memory can't be locked; "": it can
  std::string passphrase_problem, audit_problem;  // what keyd would report of these files at its start; "": nothing
  KeyCounts keys;
  struct RelaydKey {
    std::string path;
    ipc::Role role;  // listener or local
    std::optional<KeyInfo> key = {};
    std::string problem = {};  // why there is none
    std::string place = {};    // why keyd does not start with its key in this place; "": it does
  };
  std::vector<RelaydKey> own;    // as own_keyfiles()
  std::optional<ucred> running;  // the process that listens on the socket
  std::string socket_problem;
  Kernel kernel;
  int64_t now_ns = 0;
  uid_t self = 0;          // the user that checks
  bool from_root = false;  // it was root before
};

// Loads the settings, if they can be.
Check check_configuration(const CheckOptions& options, std::optional<Settings>& settings);
Check check_locked_memory(const CheckContext& context);
Check check_keys_directory(const CheckContext& context);
Check check_key_files(const CheckContext& context);
Check check_key_algorithms(const CheckContext& context);
Check check_key_names(const CheckContext& context);
Check check_listener_key(const CheckContext& context);
Check check_local_key(const CheckContext& context);
Check check_listener_certificate(const CheckContext& context);
Check check_presence(const CheckContext& context);
Check check_bind_remote(const CheckContext& context);
Check check_bind_device(const CheckContext& context);
Check check_key_passphrase_file(const CheckContext& context);
Check check_audit_file(const CheckContext& context);
Check check_user(const CheckContext& context);
Check check_allowed_users(const CheckContext& context);
Check check_socket(const CheckContext& context);
Check check_clock(const CheckContext& context);
Check check_landlock(const CheckContext& context);
Check check_seccomp(const CheckContext& context);
Check check_memfd_secret(const CheckContext& context);

KeyCounts count_keys(const ConfiguredPath& keys_dir, KeyReader& reader,
                     const std::vector<CheckContext::RelaydKey>& own);
CheckContext look_around(const Settings& settings, const CheckOptions& options);

// Runs all checks, in the order in which an operator would repair things.
std::vector<Check> run_checks(const CheckOptions& options);

}  // namespace keyd::admin
