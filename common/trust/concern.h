// A problem with a CA or a CRL that is in use, in words.
#pragma once

#include <cstdint>
#include <string>

namespace trust {

// One thing that an operator must know about the anchors and the CRLs.
struct Concern {
  enum class Kind : uint8_t {
    expired,
    not_yet_valid,
    small_key,
    no_root,  // a CA that is neither a root nor below one
    no_ca,    // a certificate that can't issue others
    old_crl,  // the file holds a newer one
    unlimited_crl,
    unknown_extension,
    unknown_issuer,
    wrong_signature,
    missing_crl,
    damaged,
    not_used,
    more,  // concerns that are not listed; the last kind
  };
  Kind kind{};
  std::string file;     // as Pem::name()
  std::string subject;  // a CA's subject, a CRL's issuer, or "block 3, line 40"
  std::string problem;  // "expired on …"
  std::string advice;
  bool harmless = false;  // no peer is refused because of it

  // One line: "FILE: the CRL of "CN=Root" expired on …; get …"
  std::string text() const { return file + ": " + subject + " " + problem + "; " + advice; }
};

}  // namespace trust
