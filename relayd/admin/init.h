// `mqtt-relay init`: a working relayd.json from three answers.
//
// On a terminal, asks for what no flag gives, and checks each answer at once. Writes the configuration, and beside it
// copies of certificates that the service could not read where they are. Writes each file whole or not at all, and
// replaces another one only with --force. It never touches a private key: it prints the commands that install them
// where only keyd can read them.
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
  bool terminal = false;  // questions can be asked
};

// An answer is missing, and there is no terminal to ask on.
struct MissingAnswer : common::CommandFailed {
  explicit MissingAnswer(const std::string& what) : CommandFailed(what, common::kExitUsage) {}
};

// Throws MissingAnswer naming the flag; common::ConfigError naming a wrong answer, or a file that is in the way;
// std::system_error if a file can't be written.
void init(const InitOptions& options, std::istream& in, std::ostream& out);

}  // namespace relayd::admin
