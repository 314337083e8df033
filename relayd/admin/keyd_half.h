// The commands that keyd's half of mqtt-relay has: libexec/mqtt-relay/mqtt-relay-keys, executed in the manner of git.
//
// Keys are read by keyd's own code, in a program without libcrypto. Each half of `check` becomes its daemon's user for
// good, which takes two processes.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "common/fd.h"
#include "common/operator/checks.h"
#include "common/units.h"

namespace relayd::admin {

// Replaces this process with that program, which reads the same command line. Throws std::runtime_error if it can't be
// executed.
[[noreturn]] void become_keyd_half(const std::vector<std::string>& words);

// What that program writes to standard output for these words; its standard error goes nowhere. Throws
// std::runtime_error if it can't be run, or exits with another status than 0.
std::string answer_of_keyd_half(const std::vector<std::string>& words);

// What keyd's checks compare with relayd's configuration.
struct OfRelayd {
  std::string listener_certificate = {};  // "": none to compare
  common::Milliseconds device_wait{};     // the longest from a device's handshake to its key's signature; 0: unknown
  std::vector<std::string> remote_names = {};  // that it asks its remote brokers for; none: unknown
  std::vector<std::string> remote_alpn = {};
  bool certificate_files = false;  // remote.certificate is "file"
};
// Its checks of keyd with that configuration. Waits until every key is read. If the program can't be run, the only
// check says so.
std::vector<common::Check> checks_of_keyd(const std::string& config, const OfRelayd& relayd);
// The first of them only: would keyd understand its configuration?
std::vector<common::Check> configuration_check_of_keyd(const std::string& config);

// The same for one device's key. `certificate`: the file with the chain that the remote broker will see; "": not known.
std::vector<common::Check> checks_of_key(const std::string& config, const std::string& client_id,
                                         const std::string& certificate);

// That program, with the key of one device, to sign the device's own handshakes (keyd/admin/device_signer.h).
class DeviceSigner {
 public:
  // Throws std::system_error or std::runtime_error if it can't be run. If it can't use the key, it says so on standard
  // error and closes the socket.
  DeviceSigner(const std::string& config, const std::string& client_id, size_t signatures);
  ~DeviceSigner();  // waits for its end
  DeviceSigner(const DeviceSigner&) = delete;
  DeviceSigner& operator=(const DeviceSigner&) = delete;

  // SOCK_SEQPACKET, on which keyd's protocol is spoken. Can be taken once.
  common::Fd take_socket() { return std::move(socket_); }

 private:
  common::Fd socket_;
  pid_t pid_ = -1;
};

}  // namespace relayd::admin
