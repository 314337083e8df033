// `mqtt-relay init`: a relayd.json that works, by three answers.
//
// Asks on a terminal for what no flag says, and checks each answer at once. Writes the configuration, and beside it
// copies of certificates that the service could not read where they are; whole or not at all, and never over something
// else unless told to. It never touches a private key: it says which commands put them where only keyd reads them.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "common/operator/command_failed.h"

namespace relayd::admin {

struct InitOptions {
  std::string config;
  std::optional<std::string> remote, remote_ca, device_ca;       // asked for if not given
  std::optional<std::string> listener_certificate, bind, local;  // not asked for
  bool force = false;
  bool terminal = false;  // somebody is there to be asked
};

// An answer is missing, and nobody can be asked.
struct MissingAnswer : common::CommandFailed {
  explicit MissingAnswer(const std::string& what) : CommandFailed(what, common::kExitUsage) {}
};

// Throws MissingAnswer naming the flag; common::ConfigError naming an answer that is wrong, or a file that is in the
// way; std::system_error if a file can't be written.
void init(const InitOptions& options, std::istream& in, std::ostream& out);

}  // namespace relayd::admin
