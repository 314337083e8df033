#include "relayd/tls/certificate.h"

#include <algorithm>
#include <utility>

#include "common/tls/sha2.h"

namespace relayd::tls {

std::vector<std::span<const uint8_t>> CertificateChain::certificates() const {
  std::vector<std::span<const uint8_t>> all;
  for (std::span<const uint8_t> rest = der; !rest.empty();) {
    // X.690 section 8.1.3: a tag, then a length of one byte; or, if its top bit is set, its low seven bits count the
    // length bytes that follow.
    size_t header = 2, size = rest.size() > 1 ? rest[1] : 0;
    if (size & 0x80) {
      header += size & 0x7f;
      size = 0;
      for (size_t i = 2; i < header && i < rest.size(); i++) size = size << 8 | rest[i];
    }
    const size_t whole = all.empty() ? leaf_size : std::min(header + size, rest.size());
    all.push_back(rest.first(whole));
    rest = rest.subspan(whole);
  }
  return all;
}

Identity identity_of(const CertificateChain& chain) {
  auto [subject, serial] = trust::label_of(chain.leaf());
  return {std::move(subject), std::move(serial), common::tls::sha256_hex(chain.der.data(), chain.leaf_size)};
}

trust::Names names_in(const CertificateChain& chain) { return trust::names_in(chain.leaf()); }

}  // namespace relayd::tls
