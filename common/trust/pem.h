// PEM files as editors, shells and other people's tools leave them. Everything that OpenSSL 3 reads is read; what can't
// be is named for what it is (UTF-16, DER, a certificate request, a cut block and its line), never dropped in silence.
//
// Start-up only: errors are common::ConfigError and begin with the file. Private keys are recognised, never decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trust {

// PEM text, and for errors the file it was read from (with the setting that names it); both empty: none.
struct Pem {
  std::string file, text;
};

using Der = std::vector<uint8_t>;

// Certificates in the file's order. Blocks of other kinds are left out; without any certificate, or with one that can't
// be read, it is an error. Of a TRUSTED CERTIFICATE (`openssl x509 -trustout`) it is the certificate alone.
std::vector<Der> certificates_in(const Pem& pem);
std::vector<Der> crls_in(const Pem& pem);

// The subject of a DER certificate, "CN=dev1,O=Acme" (RFC 4514), bounded; "" if it can't be read.
std::string subject_of(const Der& certificate);

enum class BlockKind : uint8_t { certificate, trusted_certificate, crl, other };

// What stands between one BEGIN line and its END line.
struct PemBlock {
  BlockKind kind = BlockKind::other;
  std::string label;    // as written, at most 64 bytes
  size_t line = 0;      // of BEGIN; the first is 1
  Der der;              // empty for other kinds, and if there is a problem
  std::string problem;  // "" or why there is no DER: "has no END line"
};
std::vector<PemBlock> pem_blocks(std::string_view text);

// What a text without PEM blocks is, and what makes PEM of it: "it is a certificate in DER, not PEM: `openssl …`".
std::string what_is(std::string_view text);
// What a block of another kind is, by its label: "a private key".
std::string what_is_labelled(std::string_view label);

}  // namespace trust
