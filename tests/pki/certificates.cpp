#include "tests/pki/certificates.h"

#include <openssl/bn.h>
#include <openssl/conf.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <map>
#include <stdexcept>

namespace pki {
namespace {

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("pki: ") + what + " failed");
}

using Memory = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
Memory memory() { return {BIO_new(BIO_s_mem()), BIO_free_all}; }
std::string content(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

EVP_PKEY* from_file(const char* file) {
  const Memory in(BIO_new_file(file, "r"), BIO_free_all);
  return in ? PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr) : nullptr;
}

// Usable with RSASSA-PSS only (RFC 4055 1.2).
EVP_PKEY* generate_pss(int bits) {
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_id(EVP_PKEY_RSA_PSS, nullptr), EVP_PKEY_CTX_free);
  EVP_PKEY* made = nullptr;
  require(EVP_PKEY_keygen_init(context.get()) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), bits) == 1 &&
              EVP_PKEY_keygen(context.get(), &made) == 1,
          "RSA-PSS");
  return made;
}

EVP_PKEY* generate(const std::string& kind) {
  if (kind == "RSA:8192") return from_file(MQTT_RELAY_TEST_PKI "/rsa-8192.key");
  if (kind.starts_with("RSA-PSS:")) return generate_pss(std::stoi(kind.substr(8)));
  if (kind.starts_with("RSA:")) return EVP_RSA_gen(static_cast<unsigned>(std::stoul(kind.substr(4))));
  if (kind.starts_with("ED")) return EVP_PKEY_Q_keygen(nullptr, nullptr, kind.c_str());
  const size_t colon = kind.find(':');
  EVP_PKEY* made = EVP_EC_gen(kind.substr(0, colon).c_str());
  if (made && colon != std::string::npos)
    require(EVP_PKEY_set_utf8_string_param(made, "point-format", "compressed") == 1, "point-format");
  return made;
}

using OwnedName = std::unique_ptr<X509_NAME, decltype(&X509_NAME_free)>;
OwnedName name_of(const Name& parts) {
  OwnedName name(X509_NAME_new(), X509_NAME_free);
  for (const NamePart& part : parts)
    require(X509_NAME_add_entry_by_txt(name.get(), part.type.c_str(), part.encoding,
                                       reinterpret_cast<const unsigned char*>(part.value.data()),
                                       static_cast<int>(part.value.size()), -1, 0) == 1,
            "X509_NAME_add_entry");
  return name;
}

void set_time(ASN1_TIME* time, int64_t seconds) { require(ASN1_TIME_set(time, seconds) != nullptr, "ASN1_TIME_set"); }

void set_serial(X509* certificate, const std::string& serial) {
  static long next = 0x1000;
  if (serial.empty()) {
    require(ASN1_INTEGER_set(X509_get_serialNumber(certificate), next++) == 1, "ASN1_INTEGER_set");
    return;
  }
  BIGNUM* number = nullptr;
  require(BN_hex2bn(&number, serial.c_str()) > 0, "BN_hex2bn");
  require(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr, "BN_to_ASN1_INTEGER");
  BN_free(number);
}

// Adds the extensions in the text with `add`, which is X509V3_EXT_add_nconf or its counterpart for CRLs.
template <typename Add>
void add_extensions(const std::string& text, Add add) {
  if (text.empty()) return;
  const Memory source = memory();
  const std::string whole = "[extensions]\n" + text;
  BIO_write(source.get(), whole.data(), static_cast<int>(whole.size()));
  CONF* conf = NCONF_new(nullptr);
  long line = 0;
  require(NCONF_load_bio(conf, source.get(), &line) == 1, "NCONF_load_bio");
  const bool added = add(conf, "extensions");
  NCONF_free(conf);
  require(added, text.c_str());
}

using SigningContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
SigningContext signing_context(const Key& by, const Signing& how) {
  SigningContext context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const bool hashless = EVP_PKEY_is_a(by.get(), "ED25519") || EVP_PKEY_is_a(by.get(), "ED448");
  EVP_PKEY_CTX* parameters = nullptr;
  require(EVP_DigestSignInit(context.get(), &parameters, hashless ? nullptr : EVP_get_digestbyname(how.hash.c_str()),
                             nullptr, by.get()) == 1,
          "EVP_DigestSignInit");
  if (how.pss)
    require(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) > 0 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) > 0,
            "PSS");
  return context;
}

void break_signature(const ASN1_BIT_STRING* signature) {
  const_cast<unsigned char*>(signature->data)[signature->length - 1] ^= 1;
}

Identity sign(X509* subject, const Template& shape, Key own, X509* issuer, const Key& signer) {
  Certificate certificate(subject, X509_free);
  require(X509_set_version(subject, shape.version - 1) == 1, "X509_set_version");
  set_serial(subject, shape.serial);
  set_time(X509_getm_notBefore(subject), shape.from);
  set_time(X509_getm_notAfter(subject), shape.until);
  const OwnedName name = name_of(shape.subject), other = name_of(shape.issuer);
  X509_set_subject_name(subject, name.get());
  X509_set_issuer_name(subject, shape.issuer.empty() ? X509_get_subject_name(issuer) : other.get());
  require(X509_set_pubkey(subject, own.get()) == 1, "X509_set_pubkey");
  if (shape.version == 3) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, subject, nullptr, nullptr, 0);
    std::string text = shape.extensions;
    if (shape.key_id && issuer != subject && X509_get0_subject_key_id(issuer))
      text = "authorityKeyIdentifier=keyid\n" + text;
    add_extensions(text, [&](CONF* conf, const char* section) {
      X509V3_set_nconf(&context, conf);
      return X509V3_EXT_add_nconf(conf, &context, section, subject) == 1;
    });
  }
  require(X509_sign_ctx(subject, signing_context(signer, shape.signing).get()) > 0, "X509_sign_ctx");
  if (shape.signing.broken) {
    const ASN1_BIT_STRING* signature = nullptr;
    X509_get0_signature(&signature, nullptr, subject);
    break_signature(signature);
  }
  // Parse it again, so that no state from its creation remains.
  Identity made{certificate, std::move(own)};
  const Der bytes = made.der();
  const unsigned char* at = bytes.data();
  made.certificate.reset(d2i_X509(nullptr, &at, static_cast<long>(bytes.size())), X509_free);
  require(made.certificate != nullptr, "d2i_X509");
  return made;
}

template <typename T>
Der encoded(int (*write)(const T*, unsigned char**), const T* object) {
  unsigned char* out = nullptr;
  const int size = write(object, &out);
  require(size > 0, "i2d");
  Der bytes(out, out + size);
  OPENSSL_free(out);
  return bytes;
}

}  // namespace

Key key(const std::string& kind, int number) {
  static std::map<std::pair<std::string, int>, Key> keys;
  Key& slot = keys[{kind, number}];
  if (!slot) slot.reset(generate(kind), EVP_PKEY_free);
  require(slot != nullptr, kind.c_str());
  return slot;
}

Name cn(const std::string& value, int encoding) { return {{"CN", value, encoding}}; }

Der Identity::der() const { return encoded(i2d_X509, certificate.get()); }

std::string Identity::pem() const {
  const Memory out = memory();
  PEM_write_bio_X509(out.get(), certificate.get());
  return content(out.get());
}

std::string Identity::key_pem() const {
  const Memory out = memory();
  PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return content(out.get());
}

std::string Identity::serial() const {
  const Memory out = memory();
  i2a_ASN1_INTEGER(out.get(), X509_get0_serialNumber(certificate.get()));
  return content(out.get());
}

Identity self_signed(const Template& shape, Key own) {
  X509* subject = X509_new();
  const OwnedName name = name_of(shape.subject);  // a self-signed certificate needs its own name as issuer first
  X509_set_subject_name(subject, name.get());
  const Key signer = own;
  return sign(subject, shape, std::move(own), subject, signer);
}

Identity issue(const Identity& by, const Template& shape, Key own) {
  return sign(X509_new(), shape, std::move(own), by.certificate.get(), by.key);
}

Identity root(const std::string& name, int key_number) {
  return self_signed({.subject = cn(name), .extensions = kCa}, key("P-256", key_number));
}

Crl crl(const Identity& by, const CrlTemplate& shape) {
  Crl made(X509_CRL_new(), X509_CRL_free);
  require(X509_CRL_set_version(made.get(), 1) == 1, "X509_CRL_set_version");
  X509_CRL_set_issuer_name(made.get(), X509_get_subject_name(by.certificate.get()));
  const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> time(ASN1_TIME_new(), ASN1_TIME_free);
  set_time(time.get(), shape.from);
  X509_CRL_set1_lastUpdate(made.get(), time.get());
  for (const Identity& revoked : shape.revoked) {
    X509_REVOKED* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked.certificate.get()));
    X509_REVOKED_set_revocationDate(entry, time.get());
    X509_CRL_add0_revoked(made.get(), entry);
  }
  if (shape.until != 0) {
    set_time(time.get(), shape.until);
    X509_CRL_set1_nextUpdate(made.get(), time.get());
  }
  X509V3_CTX context;
  X509V3_set_ctx(&context, by.certificate.get(), nullptr, nullptr, made.get(), 0);
  std::string text = shape.extensions;
  if (X509_get0_subject_key_id(by.certificate.get())) text = "authorityKeyIdentifier=keyid\n" + text;
  add_extensions(text, [&](CONF* conf, const char* section) {
    X509V3_set_nconf(&context, conf);
    return X509V3_EXT_CRL_add_nconf(conf, &context, section, made.get()) == 1;
  });
  if (shape.number > 0) {
    const std::unique_ptr<ASN1_INTEGER, decltype(&ASN1_INTEGER_free)> number(ASN1_INTEGER_new(), ASN1_INTEGER_free);
    ASN1_INTEGER_set(number.get(), shape.number);
    X509_CRL_add1_ext_i2d(made.get(), NID_crl_number, number.get(), 0, 0);
  }
  X509_CRL_sort(made.get());
  require(X509_CRL_sign_ctx(made.get(), signing_context(by.key, shape.signing).get()) > 0, "X509_CRL_sign_ctx");
  if (shape.signing.broken) {
    const ASN1_BIT_STRING* signature = nullptr;
    X509_CRL_get0_signature(made.get(), &signature, nullptr);
    break_signature(signature);
  }
  return made;
}

std::string pem(const Crl& crl) {
  const Memory out = memory();
  PEM_write_bio_X509_CRL(out.get(), crl.get());
  return content(out.get());
}

Der der(const Crl& crl) { return encoded(i2d_X509_CRL, crl.get()); }

}  // namespace pki
