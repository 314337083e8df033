// The chain in a device's certificate file (remote.certificate "file"), which the relay itself shows. Nothing is
// validated: the broker does that. What it would refuse for certain is refused here, where a line can name the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "relayd/tls/certificate.h"

namespace relayd::tls {

struct FileChain {
  CertificateChain chain;    // empty: there is a problem
  std::string problem;       // for the log, without the file's name
  bool out_of_date = false;  // the problem: the leaf is not valid at this time
};

// `pem`: certificates, the leaf first; blocks of other kinds are skipped. `now`: unix time, in seconds. At most
// trust::Validator::kMaxChain certificates. Never throws. Parses no key: two certificates take 4 µs, 32 KiB some 100.
FileChain chain_in_file(std::string_view pem, int64_t now);

}  // namespace relayd::tls
