#include "common/tls/sha2.h"

#include <array>

#include "common/json_line.h"
#include "common/tls/wolfcrypt.h"

namespace common::tls {

bool sha2(std::span<const uint8_t> bytes, std::span<uint8_t> hash) {
  return wc_Hash(hash_type(hash.size()), bytes.data(), static_cast<word32>(bytes.size()), hash.data(),
                 static_cast<word32>(hash.size())) == 0;
}

std::string sha256_hex(const void* data, size_t size) {
  std::array<uint8_t, 32> digest{};
  const bool done = sha2({static_cast<const uint8_t*>(data), size}, digest);
  return done ? hex(digest.data(), digest.size()) : "";
}

}  // namespace common::tls
