// The facts about TLS in common/tls, compared with OpenSSL and the RFC's own example.
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/json_line.h"
#include "common/tls/handshake_signature.h"
#include "common/tls/pem.h"
#include "common/tls/sha2.h"
#include "common/tls/spki.h"
#include "tests/pki/certificates.h"
#include "tests/unit/catch.h"

namespace {

namespace tls = common::tls;

std::vector<pki::Identity> certificates() {
  const auto root = pki::root("Root", 1);
  std::vector<pki::Identity> all{root, pki::issue(root, {.extensions = "", .version = 1}, pki::key("P-256"))};
  for (const char* kind : {"P-256", "P-384", "P-521", "P-256:compressed", "RSA:2048", "RSA-PSS:2048", "ED25519"})
    all.push_back(pki::issue(root, {.serial = "-5"}, pki::key(kind)));
  return all;
}

std::vector<uint8_t> public_key_by_openssl(const pki::Der& der) {
  const unsigned char* at = der.data();
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())),
                                                                X509_free);
  REQUIRE(certificate);
  unsigned char* out = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &out);
  REQUIRE(size > 0);
  std::vector<uint8_t> key(out, out + size);
  OPENSSL_free(out);
  return key;
}

}  // namespace

TEST_CASE("a certificate's public key is found where OpenSSL finds it", "[tls]") {
  for (const auto& certificate : certificates()) {
    const auto der = certificate.der();
    const auto expected = public_key_by_openssl(der);
    CHECK(std::ranges::equal(tls::spki_in(der), expected));
    uint8_t digest[32];
    REQUIRE(EVP_Digest(expected.data(), expected.size(), digest, nullptr, EVP_sha256(), nullptr) == 1);
    const auto hash = tls::spki_hash(der);
    REQUIRE(hash);
    CHECK(std::ranges::equal(*hash, digest));
    CHECK(tls::sha256_hex(expected.data(), expected.size()) == common::hex(digest, sizeof digest));
  }
}

TEST_CASE("a certificate that is cut off anywhere shows no public key", "[tls]") {
  const auto der = certificates()[1].der();
  for (size_t size = 0; size < der.size(); size++) {
    const std::vector<uint8_t> cut(der.begin(), der.begin() + static_cast<long>(size));
    CHECK(tls::spki_in(cut).empty());
    CHECK_FALSE(tls::spki_hash(cut));
  }
}

TEST_CASE("a CertificateVerify covers what RFC 8446 shows in section 4.4.3", "[tls]") {
  const std::vector<uint8_t> hash(32, 0x01);
  const tls::CertificateVerifyContent server(tls::Side::server, hash);
  const std::string spaces = "20202020202020202020202020202020";
  CHECK(common::hex(server.bytes().data(), server.bytes().size()) ==
        spaces + spaces + spaces + spaces +
            "544c5320312e332c207365727665722043657274696669636174655665726966"
            "790001010101010101010101010101010101010101010101010101010101010101"
            "01");
  const tls::CertificateVerifyContent client(tls::Side::client, std::vector<uint8_t>(48, 0x01));
  CHECK(client.bytes().size() == server.bytes().size() + 16);
  CHECK(std::string(client.bytes().begin() + 64, client.bytes().begin() + 97) == "TLS 1.3, client CertificateVerify");
}

TEST_CASE("every signature scheme has a name, a family and a hash, and a number outside the table has none", "[tls]") {
  for (unsigned number = 0; number <= 0xffff; number++) {
    const auto facts = tls::facts_of(static_cast<tls::Scheme>(number));
    const bool known = facts.family != tls::Family::none;
    if (!known) CHECK_FALSE(fits(facts, tls::KeyType::rsa, false));
    if (known) CHECK(static_cast<unsigned>(facts.scheme) == number);
  }
  CHECK(std::size(tls::kSchemes) == 10);
}

TEST_CASE("a PEM block is found whatever surrounds it, and a block that is cut off says so", "[tls]") {
  const std::string good = "-----BEGIN A-----\nAAAA\n-----END A-----\n", cut = "-----BEGIN B-----\nAAAA\n";
  const std::string text =
      "hello\n" + cut + good + "-----BEGIN " + std::string(65, 'x') + "-----\n" + good + "-----BEGIN";
  size_t at = 0;
  const auto next = [&] { return tls::next_pem_block(text, at); };
  auto block = next();
  REQUIRE(block);
  CHECK((block->label == "B" && !block->body.data() && block->begin == 6));
  block = next();
  REQUIRE(block);
  CHECK((block->label == "A" && block->body == "\nAAAA\n"));
  block = next();
  REQUIRE(block);
  CHECK_FALSE(block->label.data());
  block = next();
  REQUIRE(block);
  CHECK(block->label == "A");
  CHECK_FALSE(next());
  CHECK_FALSE(next());
  for (size_t size = 0; size < good.size() - 1; size++) {  // without its last newline, the block is still whole
    size_t from = 0;
    const auto part = tls::next_pem_block(std::string_view(good).substr(0, size), from);
    CHECK((!part || !part->body.data()));
  }
}
