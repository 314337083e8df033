// Why a device's certificate file (remote.certificate "file") can't be used: as the log and the counters say it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace relayd {

// not_valid: not at this time. mismatch: it is of another key than keyd has for the device.
enum class CertificateFault : uint8_t { missing, unusable, not_valid, mismatch, timeout };
inline constexpr std::array<const char*, 5> kCertificateFaults{"missing", "unusable", "not_valid", "mismatch",
                                                               "timeout"};
static_assert(static_cast<size_t>(CertificateFault::timeout) + 1 == kCertificateFaults.size());

}  // namespace relayd
