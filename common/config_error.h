// The operator's mistake: a configuration, or a file that it names, can't be used as it is. The text says where the
// mistake is, what was found, what is allowed and what to do. Exit status 78 (sysexits(3), EX_CONFIG).
#pragma once

#include <stdexcept>

namespace common {

class ConfigError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace common
