// Each scheme's signature, verified by OpenSSL, and the content that is composed around a transcript hash.
#include "keyd/vault/signer.h"

#include <atomic>
#include <thread>

#include "keyd_support.h"

using namespace keyd;
using namespace keyd_test;
using ipc::Kind;
using ipc::Scheme;
using witness::Form;
using witness::Key;

namespace {

struct Case {
  const char* key;
  Scheme scheme;
};

const Case kTls13[] = {{"P-256", Scheme::ecdsa_sha256},           {"P-384", Scheme::ecdsa_sha384},
                       {"P-521", Scheme::ecdsa_sha512},           {"ED25519", Scheme::ed25519},
                       {"RSA:2048", Scheme::rsa_pss_rsae_sha256}, {"RSA:2048", Scheme::rsa_pss_rsae_sha384},
                       {"RSA:2048", Scheme::rsa_pss_rsae_sha512}, {"RSA:3072", Scheme::rsa_pss_rsae_sha256},
                       {"RSA:4096", Scheme::rsa_pss_rsae_sha256}};
const Case kTls12[] = {{"P-256", Scheme::ecdsa_sha256},        {"P-256", Scheme::ecdsa_sha384},
                       {"P-256", Scheme::ecdsa_sha512},        {"P-384", Scheme::ecdsa_sha256},
                       {"P-521", Scheme::ecdsa_sha256},        {"P-521", Scheme::ecdsa_sha512},
                       {"RSA:2048", Scheme::rsa_pkcs1_sha256}, {"RSA:2048", Scheme::rsa_pkcs1_sha384},
                       {"RSA:2048", Scheme::rsa_pkcs1_sha512}, {"RSA:2048", Scheme::rsa_pss_rsae_sha256},
                       {"RSA:4096", Scheme::rsa_pkcs1_sha256}};

// `peer`'s key as keyd has it.
std::shared_ptr<PrivateKey> read_by(Vault& vault, const Key& peer) {
  std::string problem;
  auto key = parse(peer.text(Form::pkcs8), vault, problem);
  REQUIRE(key);
  return key;
}

std::vector<uint8_t> sign(PrivateKey& key, Kind kind, Scheme scheme, const std::vector<uint8_t>& content) {
  Signer signer;
  ipc::Sign request;
  request.kind = kind;
  request.scheme = scheme;
  request.content = content;
  SignatureBuffer out;
  const auto size = signer.sign(key, request, out);
  REQUIRE(size);
  return {out.begin(), out.begin() + static_cast<long>(*size)};
}

// Composed by hand, from the text of RFC 8446 section 4.4.3.
std::vector<uint8_t> certificate_verify(bool server, const std::vector<uint8_t>& hash) {
  std::string content(64, ' ');
  content += server ? "TLS 1.3, server CertificateVerify" : "TLS 1.3, client CertificateVerify";
  content += '\0';
  content.append(hash.begin(), hash.end());
  return bytes_of(content);
}

}  // namespace

TEST_CASE("a TLS 1.3 signature covers the role's context string and the hash", "[keyd][signer]") {
  Vault vault;
  for (const auto& [type, scheme] : kTls13)
    for (const size_t hash_size : {32, 48})
      for (const Kind kind : {Kind::tls13_server, Kind::tls13_client}) {
        INFO(type << " " << ipc::name(scheme) << " " << hash_size << " " << ipc::name(kind));
        const Key peer = Key::generate(type);
        const auto key = read_by(vault, peer);
        const std::vector<uint8_t> hash(hash_size, 0x5a);
        const bool server = kind == Kind::tls13_server;
        const auto signature = sign(*key, kind, scheme, hash);
        CHECK(peer.verifies(scheme, certificate_verify(server, hash), signature));
        CHECK_FALSE(peer.verifies(scheme, certificate_verify(!server, hash), signature));
        CHECK_FALSE(peer.verifies(scheme, hash, signature));
      }
}

TEST_CASE("a TLS 1.2 server's signature covers the parameters themselves", "[keyd][signer]") {
  Vault vault;
  for (const auto& [type, scheme] : kTls12) {
    INFO(type << " " << ipc::name(scheme));
    const Key peer = Key::generate(type);
    const auto key = read_by(vault, peer);
    const auto params = server_params(0x0017, 65);
    CHECK(peer.verifies(scheme, params, sign(*key, Kind::tls12_server, scheme, params)));
  }
}

TEST_CASE("a TLS 1.2 client's signature covers the messages", "[keyd][signer]") {
  Vault vault;
  const std::vector<uint8_t> transcript(ipc::kMaxTranscript, 1);
  std::vector<Case> cases(std::begin(kTls12), std::end(kTls12));
  cases.push_back({"ED25519", Scheme::ed25519});
  for (const auto& [type, scheme] : cases) {
    INFO(type << " " << ipc::name(scheme));
    const Key peer = Key::generate(type);
    const auto key = read_by(vault, peer);
    CHECK(peer.verifies(scheme, transcript, sign(*key, Kind::tls12_client, scheme, transcript)));
  }
}

TEST_CASE("a signature verifies under its own key, for its own message and scheme only", "[keyd][signer]") {
  Vault vault;
  const std::vector<uint8_t> message(3000, 5), other(3000, 6);
  std::vector<Case> cases(std::begin(kTls12), std::end(kTls12));
  cases.push_back({"ED25519", Scheme::ed25519});
  Signer signer;
  for (const auto& [type, scheme] : cases) {
    INFO(type << " " << ipc::name(scheme));
    const bool rsa = std::string(type).starts_with("RSA");  // made once a process
    const auto key = read_by(vault, Key::generate(type)),
               stranger = read_by(vault, Key::generate(rsa ? "RSA:3072" : type));
    auto signature = sign(*key, Kind::tls12_client, scheme, message);
    CHECK(signer.verifies(*key, scheme, message, signature));
    CHECK_FALSE(signer.verifies(*stranger, scheme, message, signature));
    CHECK_FALSE(signer.verifies(*key, scheme, other, signature));
    for (const auto& [type2, scheme2] : cases)
      if (type2 == std::string(type) && scheme2 != scheme)
        CHECK_FALSE(signer.verifies(*key, scheme2, message, signature));
    CHECK_FALSE(signer.verifies(*key, scheme, message, {}));
    CHECK_FALSE(signer.verifies(*key, scheme, message, std::vector<uint8_t>(ipc::kMaxSignature, 0xff)));
    signature[signature.size() / 2] ^= 1;
    CHECK_FALSE(signer.verifies(*key, scheme, message, signature));
  }
}

TEST_CASE("threads that use one key at the same time make correct signatures, whatever its type", "[keyd][signer]") {
  Vault vault;
  const std::vector<uint8_t> hash(32, 3), covered = certificate_verify(false, hash);
  for (const auto& [type, scheme] : kTls13) {
    INFO(type << " " << ipc::name(scheme));
    const Key peer = Key::generate(type);
    const auto key = read_by(vault, peer);
    std::atomic<int> good = 0, started = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++)
      threads.emplace_back([&, code = scheme] {
        Signer signer;
        ipc::Sign request;
        request.kind = Kind::tls13_client;
        request.scheme = code;
        request.content = hash;
        started++;
        while (started < 3) std::this_thread::yield();
        for (int n = 0; n < 4; n++) {
          SignatureBuffer out;
          const auto size = signer.sign(*key, request, out);
          good += size && signer.verifies(*key, code, covered, std::span(out).first(*size)) &&
                  peer.verifies(code, covered, std::span(out).first(*size));
        }
      });
    for (auto& thread : threads) thread.join();
    CHECK(good == 12);
  }
}

TEST_CASE("an RSA signature that does not verify never leaves", "[keyd][signer]") {
  Vault vault;
  const Key peer = Key::generate("RSA:2048");
  for (const Scheme scheme : {Scheme::rsa_pkcs1_sha256, Scheme::rsa_pss_rsae_sha256}) {
    const auto key = read_by(vault, peer);
    auto& rsa = key->as<RsaKey>();
    rsa.dP.dp[0] ^= 2;  // like a fault in one half of the CRT
    Signer signer;
    ipc::Sign request;
    request.kind = Kind::tls12_client;
    request.scheme = scheme;
    const std::vector<uint8_t> hash(32, 9);
    request.content = hash;
    SignatureBuffer out;
    out.fill(0xee);
    CHECK_FALSE(signer.sign(*key, request, out));
    CHECK(std::all_of(out.begin(), out.end(), [](uint8_t b) { return b == 0; }));
  }
}

TEST_CASE("two ECDSA signatures of one message differ", "[keyd][signer]") {
  Vault vault;
  const auto key = read_by(vault, Key::generate("P-256"));
  const std::vector<uint8_t> hash(32, 1);
  CHECK(sign(*key, Kind::tls13_client, Scheme::ecdsa_sha256, hash) !=
        sign(*key, Kind::tls13_client, Scheme::ecdsa_sha256, hash));
}
