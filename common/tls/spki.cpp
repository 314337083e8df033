#include "common/tls/spki.h"

#include "common/tls/sha2.h"

namespace common::tls {

std::optional<std::array<uint8_t, 32>> spki_hash(der::Bytes certificate) {
  const der::Bytes spki = spki_in(certificate);
  std::array<uint8_t, 32> hash{};
  if (spki.empty() || !sha2(spki, hash)) return std::nullopt;
  return hash;
}

}  // namespace common::tls
