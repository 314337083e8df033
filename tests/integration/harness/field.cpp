#include "tests/integration/harness/field.h"

#include <openssl/ssl.h>

#include <ctime>

namespace harness::field {
namespace {

// No two keys of this process are the same.
pki::Key new_key(const std::string& kind) {
  static int number = 100;
  return pki::key(kind, number++);
}

}  // namespace

int64_t now() { return std::time(nullptr); }

pki::Template current(pki::Template shape) {
  const int64_t shift = now() - pki::kNow;
  shape.from += shift;
  shape.until += shift;
  return shape;
}

pki::Identity root(const std::string& name, const std::string& key_kind) {
  return pki::self_signed(current({.subject = pki::cn(name), .extensions = pki::kCa}), new_key(key_kind));
}

pki::Identity below(const pki::Identity& ca, const std::string& name, const std::string& more) {
  return pki::issue(ca, current({.subject = pki::cn(name), .extensions = pki::kCa + more}), new_key("P-256"));
}

pki::Identity device(const pki::Identity& ca, pki::Template shape, const std::string& key_kind) {
  if (shape.subject.empty()) shape.subject = pki::cn("dev1");
  return pki::issue(ca, current(std::move(shape)), new_key(key_kind));
}

pki::Identity server(const pki::Identity& ca, const std::string& alternative_names, pki::Template shape,
                     const std::string& key_kind) {
  if (shape.subject.empty()) shape.subject = pki::cn("broker");
  shape.extensions =
      "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=" +
      alternative_names + "\n";
  return pki::issue(ca, current(std::move(shape)), new_key(key_kind));
}

fs::path save_certificates(const fs::path& file, const std::vector<pki::Identity>& certificates) {
  std::string text;
  for (const auto& certificate : certificates) text += certificate.pem();
  write_file(file, text);
  return file;
}

fs::path save_crls(const fs::path& file, const std::vector<pki::Crl>& crls) {
  std::string text;
  for (const auto& crl : crls) text += pki::pem(crl);
  write_file(file, text);
  return file;
}

Identity save(const fs::path& directory, const std::string& name, const std::vector<pki::Identity>& chain) {
  save_certificates(directory / (name + ".pem"), chain);
  write_file(directory / (name + ".key"), chain.front().key_pem());
  return {name, directory / (name + ".pem"), directory / (name + ".key")};
}

TlsContext client(const Identity& identity, TlsVersion version) {
  auto context = TlsContext::client(nullptr, authorities().root, version);
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_mode(context.get(), SSL_MODE_NO_AUTO_CHAIN);
  if (SSL_CTX_use_certificate_chain_file(context.get(), identity.certificate.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), identity.key.c_str(), SSL_FILETYPE_PEM) != 1)
    throw Failure("OpenSSL can't use " + identity.certificate.string());
  return context;
}

}  // namespace harness::field
