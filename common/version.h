// The text of --version: the program, its release, and the TLS library that was compiled into it.
#pragma once

#include <string>

namespace common {

std::string version_of(const std::string& program);

}  // namespace common
