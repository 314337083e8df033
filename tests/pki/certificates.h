// Certificates and CRLs of any shape, made in memory with libcrypto, including shapes that `openssl x509` and `openssl
// ca` refuse to make. For tests only.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace pki {

using Der = std::vector<uint8_t>;
using Key = std::shared_ptr<EVP_PKEY>;
using Certificate = std::shared_ptr<X509>;
using Crl = std::shared_ptr<X509_CRL>;

inline constexpr int64_t kNow = 1'800'000'000;  // 2027-01-15 08:00:00 UTC: the tests' fixed time
inline constexpr int64_t kDay = 86'400;
// The base of templates' dates: kNow, unless a program whose peers are other programs sets it to the real time.
inline int64_t base_time = kNow;

// "P-256", "P-384", "P-521", "secp256k1", "RSA:2048", "RSA-PSS:2048", "ED25519", "ED448", "P-256:compressed". A process
// makes one key of each kind and number; "RSA:8192", which takes a minute to make, is read from a file.
Key key(const std::string& kind, int number = 0);

// One part of a name: its type, its value, and the value's encoding (V_ASN1_UTF8STRING, …).
struct NamePart {
  std::string type, value;
  int encoding = V_ASN1_UTF8STRING;
};
using Name = std::vector<NamePart>;
Name cn(const std::string& value, int encoding = V_ASN1_UTF8STRING);

// Extensions in the syntax of openssl's configuration (x509v3_config(5)), sections included, such as
// "basicConstraints=critical,CA:TRUE\n".
inline constexpr char kCa[] =
    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n";
inline constexpr char kDevice[] = "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n";
inline constexpr char kServer[] =
    "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost\n";

struct Signing {
  std::string hash = "SHA256";  // ignored for Ed25519 and Ed448
  bool pss = false;             // RSA only
  bool broken = false;          // one bit of the signature is wrong
};

struct Template {
  Name subject = {};
  std::string extensions = kDevice;
  int version = 3;
  std::string serial = "";  // hexadecimal; with "-" in front: negative; empty: a unique one
  int64_t from = base_time - kDay, until = base_time + 365 * kDay;
  Signing signing = {};
  bool key_id = true;  // authorityKeyIdentifier, if the issuer has a subjectKeyIdentifier
  Name issuer = {};    // instead of the issuer's subject
};

// A certificate with its key; it may issue others.
struct Identity {
  Certificate certificate;
  Key key;

  Der der() const;
  std::string pem() const;
  std::string key_pem() const;
  std::string serial() const;  // hexadecimal
};

Identity self_signed(const Template& shape, Key own);
Identity issue(const Identity& by, const Template& shape, Key own);
// The chain of the recipes: a P-256 root, an intermediate, a leaf.
Identity root(const std::string& name, int key_number);

struct CrlTemplate {
  std::vector<Identity> revoked = {};
  int64_t from = base_time - kDay, until = base_time + 30 * kDay;  // until 0: no nextUpdate
  int number = 1;                                                  // 0: no CRL number
  std::string extensions = "";
  Signing signing = {};
};
Crl crl(const Identity& by, const CrlTemplate& shape = {});
std::string pem(const Crl& crl);
Der der(const Crl& crl);

}  // namespace pki
