// SHA-2, computed by wolfCrypt. This header includes no wolfSSL header, because those clash with OpenSSL's.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace common::tls {

// SHA-256, 384 or 512, chosen by the size of `hash`: 32, 48 or 64 bytes. False for any other size, or if memory runs
// out.
[[nodiscard]] bool sha2(std::span<const uint8_t> bytes, std::span<uint8_t> hash);

// Lower-case, 64 characters.
std::string sha256_hex(const void* data, size_t size);

}  // namespace common::tls
