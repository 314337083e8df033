// A session's number as the log, the commands and keyd's audit show it.
#pragma once

#include <endian.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/json_line.h"

namespace relayd {

// 16 hexadecimal digits, lower case.
inline std::string session_text(uint64_t number) {
  const uint64_t big_endian = htobe64(number);
  return common::hex(&big_endian, sizeof big_endian);
}

// nullopt: it is not what session_text() returns.
inline std::optional<uint64_t> session_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (error != std::errc() || session_text(number) != text) return std::nullopt;
  return number;
}

}  // namespace relayd
