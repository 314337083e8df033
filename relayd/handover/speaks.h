// What a peer at the TLS port may speak, as it is counted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace relayd {

enum class Speaks : uint8_t { mqtt, http, ssh, proxy, other, tls, nothing };

// Those that are counted one by one: neither TLS nor silence.
inline constexpr std::array<const char*, 5> kNotTls{"mqtt", "http", "ssh", "proxy", "other"};

constexpr bool is_not_tls(Speaks speaks) { return static_cast<size_t>(speaks) < kNotTls.size(); }

}  // namespace relayd
