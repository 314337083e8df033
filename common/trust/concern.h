// A problem with a CA or a CRL that is in use, in words.
#pragma once

#include <cstdint>
#include <string>

namespace trust {

// One thing that an operator must know about the anchors and the CRLs.
struct Concern {
  std::string file;     // as Pem::file
  std::string subject;  // a CA's subject, a CRL's issuer, or "block 3, line 40"
  std::string problem;  // "expired on …"
  std::string advice;
  bool harmless = false;  // no peer is refused because of it
  enum class Kind : uint8_t { expired, not_yet_valid, other } kind = Kind::other;

  // One line: "FILE: the CRL of "CN=Root" expired on …; get …"
  std::string text() const { return file + ": " + subject + " " + problem + "; " + advice; }
};

}  // namespace trust
