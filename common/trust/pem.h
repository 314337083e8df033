// PEM files as editors, shells and other people's tools write them. This reader accepts everything that OpenSSL 3
// reads. It names what it can't read (UTF-16, DER, a certificate request, a cut block and its line) and never drops it
// silently.
//
// Start-up only: errors are common::ConfigError and begin with the file's name. Private keys are recognised, never
// decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trust {

// PEM text, and the file that it came from. All empty: no file.
struct Pem {
  std::string path, text;
  std::string setting = {};  // that names the file, "relayd.json: listener.cacertfile"; "": none does

  // In errors: "relayd.json: listener.cacertfile: /etc/ca.pem".
  std::string name() const { return setting.empty() ? path : setting + ": " + path; }
};

using Der = std::vector<uint8_t>;

// Returns certificates in the file's order and skips blocks of other kinds. Throws if there is no certificate, or one
// that can't be read. For a TRUSTED CERTIFICATE (`openssl x509 -trustout`), returns the certificate without its trust
// settings.
std::vector<Der> certificates_in(const Pem& pem);
std::vector<Der> crls_in(const Pem& pem);

// The subject of a DER certificate, "CN=dev1,O=Acme" (RFC 4514), bounded; "" if it can't be read.
std::string subject_of(const Der& certificate);

enum class BlockKind : uint8_t { certificate, trusted_certificate, crl, other };

// The content between one BEGIN line and its END line.
struct PemBlock {
  BlockKind kind = BlockKind::other;
  std::string label;    // as written, at most 64 bytes; "an unusual label" if it has more than A-Z, 0-9, space and dot
  size_t line = 0;      // the BEGIN line's number, from 1
  Der der;              // empty for other kinds, and if there is a problem
  std::string problem;  // why there is no DER ("has no END line"), or ""
};
std::vector<PemBlock> pem_blocks(std::string_view text);

// Says what a text without PEM blocks is, and how to convert it: "it is a certificate in DER, not PEM: `openssl …`".
std::string what_is(std::string_view text);
// Names a block of another kind by its label: "a private key".
std::string what_is_labelled(std::string_view label);

}  // namespace trust
