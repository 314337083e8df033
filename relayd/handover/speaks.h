// The protocols that a peer may speak at the TLS port, as the counters distinguish them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace relayd {

// The order counts: those of kNotTls first, in its order.
enum class Speaks : uint8_t { mqtt, http, ssh, proxy, other, tls, nothing };

// The protocols with a counter each: neither TLS nor silence.
inline constexpr std::array<const char*, 5> kNotTls{"mqtt", "http", "ssh", "proxy", "other"};
static_assert(static_cast<size_t>(Speaks::tls) == kNotTls.size());

constexpr bool is_not_tls(Speaks speaks) { return static_cast<size_t>(speaks) < kNotTls.size(); }

// Why a connection is refused where a PROXY header is expected.
enum class ProxyFault : uint8_t { untrusted, bad_header, timeout };
inline constexpr std::array<const char*, 3> kProxyFaults{"untrusted", "bad_header", "timeout"};

// Why a message was not copied to the local broker (local.tap). `lost`: its connection ended before it took them.
enum class TapDrop : uint8_t { queue_full, too_large, unknown_alias, lost };
inline constexpr std::array<const char*, 4> kTapDrops{"queue_full", "too_large", "unknown_alias", "lost"};

}  // namespace relayd
