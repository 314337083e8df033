// Finds the blocks in a PEM text (RFC 7468), whether certificates, CRLs or private keys.
//
// Returns views into the text and copies nothing, because the text may hold a private key. Ignores text around the
// blocks.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace common::tls {

// One BEGIN line and what belongs to it.
struct PemSpan {
  size_t begin = 0;        // where in the text its BEGIN line starts
  std::string_view label;  // "PRIVATE KEY", at most 64 bytes; data() is null: the BEGIN line is broken
  std::string_view body;   // base64; data() is null: it has no END line of its own
};

// The first block at or after `at`; moves `at` past it. nullopt: there is none.
inline std::optional<PemSpan> next_pem_block(std::string_view text, size_t& at) {
  constexpr std::string_view kBegin = "-----BEGIN ", kEnd = "-----END ", kDashes = "-----";
  PemSpan found{text.find(kBegin, at), {}, {}};
  if (found.begin == text.npos) return std::nullopt;
  at = found.begin + kBegin.size();
  const size_t label_end = text.find(kDashes, at), body = label_end + kDashes.size();
  if (label_end == text.npos || label_end - at > 64) return found;
  found.label = text.substr(at, label_end - at);
  const size_t end = text.find(kDashes, body), behind = end + kEnd.size() + found.label.size();
  if (end == text.npos || !text.substr(end).starts_with(kEnd) ||
      !text.substr(end + kEnd.size()).starts_with(found.label) || text.find(kDashes, behind) != behind)
    return found;
  found.body = text.substr(body, end - body);
  at = behind + kDashes.size();
  return found;
}

}  // namespace common::tls
