// What an operator wants to know of certificates before a device or a broker sees them: for the commands only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relayd/tls/context.h"

namespace relayd::tls {

struct CertificateFacts {
  std::string name;                       // its subject's common name; may be empty
  trust::Der der;                         // this one alone
  int64_t not_before = 0, not_after = 0;  // unix time, in seconds
};

// Of DER. common::ConfigError, beginning with `file`, if it can't be read.
CertificateFacts facts_of(std::span<const uint8_t> certificate_der, const std::string& file);
// All that are in the file, in its order: at least one. common::ConfigError if one can't be read.
std::vector<CertificateFacts> facts_of(const Pem& pem);

// Whether `issuer` has signed `certificate`, and may have.
bool has_issued(const CertificateFacts& issuer, const CertificateFacts& certificate);

}  // namespace relayd::tls
