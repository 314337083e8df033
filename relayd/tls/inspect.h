// Certificate facts for the operator's commands: what to know about a certificate before a device or broker sees it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relayd/tls/context.h"

namespace relayd::tls {

struct CertificateFacts {
  std::string name;                       // its subject's common name; may be empty
  trust::Der der;                         // this certificate only
  int64_t not_before = 0, not_after = 0;  // unix time, in seconds
};

// Reads DER. Throws common::ConfigError, starting with `file`, if it can't be read.
CertificateFacts facts_of(std::span<const uint8_t> certificate_der, const std::string& file);
// Reads every certificate in the file, in order: at least one. Throws common::ConfigError if one can't be read.
std::vector<CertificateFacts> facts_of(const Pem& pem);

// True if `issuer` has signed `certificate` and is allowed to.
bool has_issued(const CertificateFacts& issuer, const CertificateFacts& certificate);

}  // namespace relayd::tls
