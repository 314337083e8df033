// Every test process derives a loopback address from its pid and uses fixed ports on it. Tests can then run side by
// side without asking for free ports and without racing for them.
#pragma once

#include <cstdint>
#include <string>

namespace harness {

// 127.a.b.c, never 127.0.0.x.
std::string own_address();

struct Endpoint {
  std::string host;
  uint16_t port = 0;
  std::string text() const { return host + ":" + std::to_string(port); }
};

namespace ports {
inline constexpr uint16_t relay = 8883;
inline constexpr uint16_t remote = 18883;
inline constexpr uint16_t direct = 18884;  // a second remote: the same scenario without the relay
inline constexpr uint16_t local = 11883;
inline constexpr uint16_t unused = 19999;  // nothing ever listens here
}  // namespace ports

}  // namespace harness
