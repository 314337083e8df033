// SHA-2, computed by wolfCrypt. This header includes none of wolfSSL's, which can't be read beside OpenSSL's.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace common::tls {

// SHA-256, 384 or 512 by the room in `hash`: 32, 48 or 64 bytes. False: it can't be computed, for another size or for
// want of memory.
[[nodiscard]] bool sha2(std::span<const uint8_t> bytes, std::span<uint8_t> hash);

// Lower-case, 64 characters.
std::string sha256_hex(const void* data, size_t size);

}  // namespace common::tls
