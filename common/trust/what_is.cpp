// Names what an operator has put where PEM was expected, and the command that converts it to PEM.
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>

#include "common/trust/openssl_ptr.h"
#include "common/trust/pem.h"

namespace trust {
namespace {

template <auto d2i, auto release>
bool is(std::string_view bytes) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  auto* object = d2i(nullptr, &at, static_cast<long>(bytes.size()));
  ERR_clear_error();
  if (!object) return false;
  release(object);
  return true;
}

bool is_private_key(std::string_view bytes) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  EVP_PKEY* key = d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(bytes.size()));
  ERR_clear_error();
  EVP_PKEY_free(key);
  return key != nullptr;
}

std::string name_of_der(std::string_view bytes) {
  if (is<d2i_X509, X509_free>(bytes))
    return "a certificate in DER, not PEM: `openssl x509 -inform DER -in FILE -out FILE.pem` converts it";
  if (is<d2i_X509_CRL, X509_CRL_free>(bytes))
    return "a CRL in DER, not PEM: `openssl crl -inform DER -in FILE -out FILE.pem` converts it";
  if (is<d2i_PKCS12, PKCS12_free>(bytes))
    return "a PKCS#12 file (.p12, .pfx), not PEM: `openssl pkcs12 -in FILE -nokeys -out FILE.pem` takes its "
           "certificates out";
  if (is<d2i_PKCS7, PKCS7_free>(bytes))
    return "a PKCS#7 file (.p7b, .p7c) in DER, not PEM: `openssl pkcs7 -inform DER -in FILE -print_certs -out "
           "FILE.pem` takes its certificates out";
  if (is<d2i_X509_REQ, X509_REQ_free>(bytes))
    return "a certificate request in DER, not a certificate: let a CA sign it";
  if (is_private_key(bytes)) return "a private key in DER, not a certificate";
  return "";
}

bool is_utf16(std::string_view text) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) return true;
  const std::string_view head = text.substr(0, 64);
  return head.size() >= 8 && head[0] != 0x30 &&
         ((head[1] == 0 && head[3] == 0 && head[5] == 0) || (head[0] == 0 && head[2] == 0 && head[4] == 0));
}

}  // namespace

std::string what_is(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return "it is empty";
  if (is_utf16(text))
    return "it is UTF-16 text, as PowerShell's > writes it: save it as UTF-8, or `iconv -f UTF-16 -t UTF-8 FILE`";
  if (text[0] == 0x30)  // SEQUENCE, X.690 8.9
    if (const std::string der = name_of_der(text); !der.empty()) return "it is " + der;
  if (text.starts_with("ssh-") || text.starts_with("ecdsa-sha2-")) return "it is an OpenSSH public key";
  if (text.find("BEGIN ") != std::string_view::npos)
    return "its BEGIN line is broken: it must have five hyphens on each side and nothing else";
  return "it is not PEM: no line begins with \"-----BEGIN \"";
}

std::string what_is_labelled(std::string_view label) {
  if (label == "CERTIFICATE REQUEST" || label == "NEW CERTIFICATE REQUEST")
    return "a certificate request, which a CA must still sign";
  if (label.ends_with("PRIVATE KEY")) return "a private key";
  if (label.ends_with("PUBLIC KEY")) return "a public key";
  if (label == "PKCS7" || label == "CMS")
    return "a PKCS#7 bundle (`openssl pkcs7 -in FILE -print_certs -out FILE.pem` takes its certificates out)";
  if (label == "X509 CRL") return "a CRL";
  if (label.ends_with("CERTIFICATE")) return "a certificate";
  return "\"" + std::string(label) + "\"";
}

}  // namespace trust
