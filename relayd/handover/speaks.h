// What a peer at the TLS port may speak, as it is counted.
#pragma once

#include <array>
#include <cstdint>

namespace relayd {

enum class Speaks : uint8_t { mqtt, http, ssh, proxy, other, tls, nothing };

// Those that are counted one by one: neither TLS nor silence.
inline constexpr std::array<const char*, 5> kNotTls{"mqtt", "http", "ssh", "proxy", "other"};

}  // namespace relayd
