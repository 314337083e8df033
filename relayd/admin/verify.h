// `mqtt-relay verify`: would this chain be accepted, and if not, why not? The code that judges in a handshake decides,
// with the configuration's anchors, CRLs and depth, or with given ones.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include "common/trust/policy.h"
#include "relayd/supervisor/config_file.h"

namespace relayd::admin {

struct VerifyOptions {
  std::string chain;  // PEM file, leaf first; "-": standard input
  trust::Purpose as{};
  std::optional<std::string> listener;         // of a device; needed if the configuration has several
  std::optional<std::string> name;             // of the remote; nullopt: the configuration's
  std::optional<int64_t> at;                   // unix seconds; nullopt: now
  std::optional<std::string> cafile, crlfile;  // instead of the configuration's; with cafile none is read
  // These replace the configuration's, or the defaults if none is read.
  std::optional<unsigned> depth;
  bool partial_chain = false;  // true: whatever the configuration says
  std::optional<trust::Revocation> crl_check;
  bool json = false;
  std::string config;  // the file
  Overrides overrides;
};

// Prints the verdict. Exit status: 0 accepted, 1 refused. Throws common::ConfigError if the configuration, an anchor or
// a CRL can't be used, or if CHAIN can't be read.
int verify(const VerifyOptions& options, std::istream& in, std::ostream& out);

// "2027-01-15T08:00:00Z", "2027-01-15 08:00", "2027-01-15", each UTC or with "+02:00"; "1800000000". nullopt: neither.
std::optional<int64_t> parse_time(const std::string& text);

}  // namespace relayd::admin
