// A command of mqtt-relay could not do its work: what the operator reads, and the exit status.
#pragma once

#include <stdexcept>
#include <string>

namespace common {

inline constexpr int kExitFailed = 1;
// sysexits.h: the command line, an input, a service that does not answer, the configuration.
inline constexpr int kExitUsage = 64, kExitNoInput = 66, kExitUnavailable = 69, kExitConfig = 78;

struct CommandFailed : std::runtime_error {
  CommandFailed(const std::string& what, int exit_status) : std::runtime_error(what), status(exit_status) {}
  int status;
};

}  // namespace common
