// Peers with certificates of any shape (tests/pki/certificates.h) that are valid now.
#pragma once

#include <string>
#include <vector>

#include "tests/integration/harness/tls_stream.h"
#include "tests/pki/certificates.h"

namespace harness::field {

int64_t now();  // unix seconds
// Returns `shape`, valid from yesterday for a year.
pki::Template current(pki::Template shape);

// A self-signed CA, and a CA issued by another.
pki::Identity root(const std::string& name, const std::string& key_kind = "P-256");
pki::Identity below(const pki::Identity& ca, const std::string& name, const std::string& more = "");
pki::Identity device(const pki::Identity& ca, pki::Template shape = {}, const std::string& key_kind = "P-256");
pki::Identity server(const pki::Identity& ca, const std::string& alternative_names, pki::Template shape = {},
                     const std::string& key_kind = "P-256");

// Writes all of `chain` to DIRECTORY/NAME.pem, and the key of its first certificate to NAME.key.
Identity save(const fs::path& directory, const std::string& name, const std::vector<pki::Identity>& chain);
fs::path save_certificates(const fs::path& file, const std::vector<pki::Identity>& certificates);
fs::path save_crls(const fs::path& file, const std::vector<pki::Crl>& crls);

// A client that sends exactly the chain in the file, whatever OpenSSL thinks of it.
TlsContext client(const Identity& identity, TlsVersion version = TlsVersion::any);

}  // namespace harness::field
