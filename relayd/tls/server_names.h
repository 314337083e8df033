// Which of a listener's certificates a device is shown, by the name that it asks for (SNI, RFC 6066 section 3).
//
// The first certificate is the default: for devices that ask for no name, or for one that no certificate has, as in
// HAProxy and nginx. Names are compared without regard to case. A wildcard stands for one whole label, the first
// (RFC 6125 section 6.4.3); an exact name is preferred to it.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "common/trust/names.h"

namespace relayd::tls {

class ServerNames {
 public:
  // The names of the next certificate: its DNS names, or, without any, its common name. Of several certificates for a
  // name, the first counts. False: it has none that is its own, so no name leads to it.
  bool add(const trust::Names& names);
  // The certificate's number in the order of add(). 0 if no certificate has the name, which may have any bytes.
  size_t find(std::string_view name) const;

 private:
  std::map<std::string, size_t, std::less<>> numbers_;  // by name, in lower case
  size_t certificates_ = 0;
};

}  // namespace relayd::tls
