// The names in a certificate by which a device can be known.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace trust {

struct Names {
  // The subject's first common name, in UTF-8; empty: none. The first, as mosquitto (use_identity_as_username) and
  // HAProxy (ssl_c_s_dn(cn)) take it.
  std::string common_name;
  // The subject alternative names that are DNS names or URIs (RFC 5280 section 4.2.1.6), as they are written.
  std::vector<std::string> alternative;
};

// What a person calls a certificate by.
struct Label {
  std::string subject;  // RFC 4514, bounded, control characters escaped
  std::string serial;   // lower-case hexadecimal, as `openssl x509 -serial` has it in upper case
};

// `der`: one certificate, of which only these two fields are parsed. Empty where it can't be read.
Label label_of(std::span<const uint8_t> der);

// `der`: one certificate. Names may have any bytes, NUL too: compare them whole. Empty if it can't be read.
Names names_in(std::span<const uint8_t> der);

}  // namespace trust
