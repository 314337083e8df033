// A session's number as the log, the commands and keyd's audit show it.
#pragma once

#include <endian.h>

#include <cstdint>
#include <string>

#include "common/json_line.h"

namespace relayd {

// 16 hexadecimal digits, lower case.
inline std::string session_text(uint64_t number) {
  const uint64_t big_endian = htobe64(number);
  return common::hex(&big_endian, sizeof big_endian);
}

}  // namespace relayd
