// Every row of keyd's policy, above all the forbidden ones.
#include "keyd/vault/policy.h"

#include <set>
#include <tuple>

#include "keyd_support.h"

using namespace keyd;
using ipc::Kind;
using ipc::Role;
using ipc::Scheme;
using ipc::Status;
using keyd_test::client_transcript;
using keyd_test::server_params;

namespace {

constexpr Kind kKinds[] = {Kind::tls13_server, Kind::tls13_client, Kind::tls12_server, Kind::tls12_client};
constexpr Scheme kSchemes[] = {
    Scheme::rsa_pkcs1_sha256,    Scheme::rsa_pkcs1_sha384, Scheme::rsa_pkcs1_sha512,    Scheme::ecdsa_sha256,
    Scheme::ecdsa_sha384,        Scheme::ecdsa_sha512,     Scheme::rsa_pss_rsae_sha256, Scheme::rsa_pss_rsae_sha384,
    Scheme::rsa_pss_rsae_sha512, Scheme::ed25519};
constexpr KeyType kTypes[] = {KeyType::rsa, KeyType::p256, KeyType::p384, KeyType::p521, KeyType::ed25519};

// Content that matches the kind.
std::vector<uint8_t> good_content(Kind kind) {
  if (kind == Kind::tls13_server || kind == Kind::tls13_client) return std::vector<uint8_t>(32, 1);
  if (kind == Kind::tls12_server) return server_params(0x001d, 32);
  return client_transcript();
}

Role role_of(Kind kind) {
  return kind == Kind::tls13_server || kind == Kind::tls12_server ? Role::listener : Role::device;
}

Status judge(Kind kind, Scheme scheme, KeyType type, const std::vector<uint8_t>& content) {
  ipc::Sign sign;
  sign.key.role = role_of(kind);
  sign.kind = kind;
  sign.scheme = scheme;
  sign.content = content;
  return may_sign(sign, {type, 256, {}}).status;
}

std::vector<uint8_t> without_last(std::vector<uint8_t> bytes) {
  bytes.pop_back();
  return bytes;
}

std::vector<uint8_t> with(std::vector<uint8_t> bytes, size_t at, uint8_t value) {
  bytes.at(at) = value;
  return bytes;
}

std::vector<uint8_t> and_one_more(std::vector<uint8_t> bytes) {
  bytes.push_back(0);
  return bytes;
}

}  // namespace

TEST_CASE("only these schemes fit these keys", "[keyd][policy]") {
  using Row = std::tuple<bool, KeyType, Scheme>;  // TLS 1.3?
  std::set<Row> allowed{
      {true, KeyType::p256, Scheme::ecdsa_sha256},        {true, KeyType::p384, Scheme::ecdsa_sha384},
      {true, KeyType::p521, Scheme::ecdsa_sha512},        {true, KeyType::rsa, Scheme::rsa_pss_rsae_sha256},
      {true, KeyType::rsa, Scheme::rsa_pss_rsae_sha384},  {true, KeyType::rsa, Scheme::rsa_pss_rsae_sha512},
      {true, KeyType::ed25519, Scheme::ed25519},          {false, KeyType::ed25519, Scheme::ed25519},
      {false, KeyType::rsa, Scheme::rsa_pkcs1_sha256},    {false, KeyType::rsa, Scheme::rsa_pkcs1_sha384},
      {false, KeyType::rsa, Scheme::rsa_pkcs1_sha512},    {false, KeyType::rsa, Scheme::rsa_pss_rsae_sha256},
      {false, KeyType::rsa, Scheme::rsa_pss_rsae_sha384}, {false, KeyType::rsa, Scheme::rsa_pss_rsae_sha512}};
  for (const KeyType curve : {KeyType::p256, KeyType::p384, KeyType::p521})
    for (const Scheme scheme : {Scheme::ecdsa_sha256, Scheme::ecdsa_sha384, Scheme::ecdsa_sha512})
      allowed.insert({false, curve, scheme});

  for (const Kind kind : kKinds)
    for (const Scheme scheme : kSchemes)
      for (const KeyType type : kTypes) {
        const bool tls13 = kind == Kind::tls13_server || kind == Kind::tls13_client;
        INFO(ipc::name(kind) << " " << ipc::name(scheme) << " " << name(type));
        CHECK(judge(kind, scheme, type, good_content(kind)) ==
              (allowed.contains({tls13, type, scheme}) ? Status::ok : Status::denied));
      }
}

TEST_CASE("a key signs only for its own role", "[keyd][policy]") {
  for (const Kind kind : kKinds)
    for (const Role role : {Role::listener, Role::device, Role::local}) {
      ipc::Sign sign;
      sign.key.role = role;
      sign.kind = kind;
      INFO(ipc::name(kind) << " " << ipc::name(role));
      const bool fits = (role == Role::listener) == (role_of(kind) == Role::listener);
      CHECK(may_ask(sign, Rules{true}).status == (fits ? Status::ok : Status::denied));
    }
}

TEST_CASE("relayd's own keys have no client id", "[keyd][policy]") {
  ipc::Sign sign;
  const bool listener = GENERATE(true, false);
  sign.kind = listener ? Kind::tls13_server : Kind::tls13_client;
  sign.key.role = listener ? Role::listener : Role::local;
  sign.key.client_id = "device";
  CHECK(may_ask(sign, Rules{true}).status == Status::denied);
  CHECK(may_ask(sign.key).status == Status::denied);
}

TEST_CASE("allow_tls12_client: false forbids what a TLS 1.2 client signs and nothing else", "[keyd][policy]") {
  for (const Kind kind : kKinds) {
    ipc::Sign sign;
    sign.key.role = role_of(kind);
    sign.kind = kind;
    CHECK(may_ask(sign, Rules{false}).status == (kind == Kind::tls12_client ? Status::denied : Status::ok));
  }
}

TEST_CASE("a key of another certificate is a mismatch before anything else", "[keyd][policy]") {
  ipc::Sign sign;
  sign.kind = Kind::tls13_client;
  sign.scheme = Scheme::rsa_pkcs1_sha256;  // forbidden, too
  sign.key.spki[31] = 1;
  CHECK(may_sign(sign, {KeyType::p256, 256, {}}).status == Status::mismatch);
}

TEST_CASE("a TLS 1.3 transcript hash has 32 or 48 bytes, whatever the scheme", "[keyd][policy]") {
  for (const Kind kind : {Kind::tls13_server, Kind::tls13_client})
    for (const size_t size : {0, 1, 31, 32, 33, 47, 48, 49, 64, 146, 256}) {
      INFO(size);
      const Status expected = size == 32 || size == 48 ? Status::ok : Status::denied;
      CHECK(judge(kind, Scheme::ecdsa_sha256, KeyType::p256, std::vector<uint8_t>(size)) == expected);
      CHECK(judge(kind, Scheme::rsa_pss_rsae_sha512, KeyType::rsa, std::vector<uint8_t>(size)) == expected);
      CHECK(judge(kind, Scheme::ed25519, KeyType::ed25519, std::vector<uint8_t>(size)) == expected);
    }
}

TEST_CASE("no opaque digest is signed: a TLS 1.2 client's content is its handshake messages", "[keyd][policy]") {
  const auto hashed = std::string(64, ' ') + "TLS 1.3, server CertificateVerify" + '\0' + std::string(32, 3);
  const std::string jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJkZXZpY2UifQ";
  for (const Scheme scheme : kSchemes)
    for (const KeyType type : kTypes) {
      if (!fits(facts_of(scheme), type, false)) continue;
      INFO(ipc::name(scheme) << " " << name(type));
      CHECK(judge(Kind::tls12_client, scheme, type, client_transcript()) == Status::ok);
      for (const size_t size : {0, 20, 32, 48, 64})
        CHECK(judge(Kind::tls12_client, scheme, type, std::vector<uint8_t>(size, 1)) == Status::denied);
      CHECK(judge(Kind::tls12_client, scheme, type, keyd_test::bytes_of(hashed)) == Status::denied);
      CHECK(judge(Kind::tls12_client, scheme, type, keyd_test::bytes_of(jwt)) == Status::denied);
    }
}

TEST_CASE("a TLS 1.2 server signs the parameters of a known curve and nothing after them", "[keyd][policy]") {
  const auto judged = [](const std::vector<uint8_t>& content) {
    return judge(Kind::tls12_server, Scheme::ecdsa_sha256, KeyType::p256, content);
  };
  constexpr std::pair<uint16_t, size_t> kCurves[] = {{0x0017, 65}, {0x0018, 97}, {0x0019, 133}, {0x001d, 32}};
  for (const auto& [curve, size] : kCurves) {
    INFO(curve);
    const auto good = server_params(curve, size);
    CHECK(judged(good) == Status::ok);
    CHECK(judged(without_last(good)) == Status::denied);
    CHECK(judged(and_one_more(good)) == Status::denied);
    CHECK(judged(with(good, 67, static_cast<uint8_t>(size - 1))) == Status::denied);  // point length
    CHECK(judged(with(good, 64, 1)) == Status::denied);                               // explicit prime curve
    CHECK(judged(with(good, 66, 0x16)) == Status::denied);                            // secp256k1
    if (curve != 0x001d) CHECK(judged(with(good, 68, 2)) == Status::denied);          // a compressed point
    for (size_t cut = 0; cut < good.size(); cut++)
      CHECK(judged(std::vector<uint8_t>(good.begin(), good.begin() + static_cast<long>(cut))) == Status::denied);
  }
  CHECK(judged(server_params(0x001d, 65)) == Status::denied);
  CHECK(judged(server_params(0x001e, 56)) == Status::denied);  // x448
}

TEST_CASE("TLS 1.3 content is never signed as TLS 1.2", "[keyd][policy]") {
  for (const char* words : {"TLS 1.3, server CertificateVerify", "TLS 1.3, client CertificateVerify"})
    for (const size_t hash : {32, 48}) {
      const auto content = keyd_test::bytes_of(std::string(64, ' ') + words + '\0' + std::string(hash, 3));
      CHECK(judge(Kind::tls12_server, Scheme::ed25519, KeyType::ed25519, content) == Status::denied);
      CHECK(judge(Kind::tls12_server, Scheme::ecdsa_sha256, KeyType::p256, content) == Status::denied);
      CHECK(judge(Kind::tls12_client, Scheme::ed25519, KeyType::ed25519, content) == Status::denied);
    }
}

TEST_CASE("a TLS 1.2 client signs only whole handshake messages", "[keyd][policy]") {
  const auto judged = [](const std::vector<uint8_t>& content) {
    return judge(Kind::tls12_client, Scheme::ecdsa_sha256, KeyType::p256, content);
  };
  const auto good = client_transcript();
  CHECK(judged(good) == Status::ok);
  CHECK(judged({}) == Status::denied);
  CHECK(judged(without_last(good)) == Status::denied);
  CHECK(judged(and_one_more(good)) == Status::denied);
  CHECK(judged(with(good, 0, 2)) == Status::denied);                 // does not begin with ClientHello
  CHECK(judged(with(good, good.size() - 9, 20)) == Status::denied);  // does not end with ClientKeyExchange
  CHECK(judged(with(good, 1, 0xff)) == Status::denied);              // a length beyond the end
  CHECK(judged(std::vector<uint8_t>(32, 1)) == Status::denied);      // a hash
  for (size_t cut = 0; cut < good.size(); cut++)
    CHECK(judged(std::vector<uint8_t>(good.begin(), good.begin() + static_cast<long>(cut))) == Status::denied);
}

TEST_CASE("with bind_remote a device signs only handshake messages, and the listener signs as before",
          "[keyd][policy]") {
  for (const bool bind_remote : {true, false}) {
    const auto asked = [&](Kind kind, Role role) {
      ipc::Sign sign;
      sign.kind = kind;
      sign.key.role = role;
      return may_ask(sign, Rules{true, bind_remote}).status;
    };
    CHECK(asked(Kind::tls13_client_bound, Role::device) == (bind_remote ? Status::ok : Status::denied));
    CHECK(asked(Kind::tls13_client, Role::device) == (bind_remote ? Status::denied : Status::ok));
    CHECK(asked(Kind::tls12_client, Role::device) == Status::ok);  // always its messages
    for (const Kind kind : {Kind::tls13_client_bound, Kind::tls13_client, Kind::tls12_client})
      CHECK(asked(kind, Role::listener) == Status::denied);
    for (const Kind kind : {Kind::tls13_server, Kind::tls12_server}) CHECK(asked(kind, Role::listener) == Status::ok);
    // The local broker is none of the remote ones.
    CHECK(asked(Kind::tls13_client_bound, Role::local) == Status::denied);
    for (const Kind kind : {Kind::tls13_client, Kind::tls12_client}) CHECK(asked(kind, Role::local) == Status::ok);
  }
}

TEST_CASE("a proof belongs to a device's lookup, and its scheme to the device's key and TLS version",
          "[keyd][policy]") {
  ipc::Lookup lookup;
  lookup.role = Role::listener;
  lookup.proof.presence = ipc::Presence::tls12;
  CHECK(may_ask(lookup).status == Status::denied);
  lookup.role = Role::local;
  CHECK(may_ask(lookup).status == Status::denied);
  lookup.role = Role::listener;
  lookup.proof.presence = ipc::Presence::none;
  CHECK(may_ask(lookup));
  lookup.role = Role::device;
  for (const auto presence : {ipc::Presence::tls12, ipc::Presence::tls13_sha256, ipc::Presence::tls13_sha384})
    for (const KeyType type : kTypes)
      for (const Scheme scheme : kSchemes) {
        INFO(static_cast<int>(presence) << " " << ipc::name(scheme) << " " << name(type));
        lookup.proof = {presence, scheme};
        const bool tls13 = presence != ipc::Presence::tls12;
        CHECK(may_look_up(lookup, {type, 256, {}}).status ==
              (fits(facts_of(scheme), type, tls13) ? Status::ok : Status::denied));
        CHECK(may_look_up(lookup, {type, 256, {1}, {1}}).status == Status::mismatch);
        const bool own_key = true;  // of another type
        CHECK(may_look_up(lookup, {type, 256, {}}, own_key));
        CHECK(may_look_up(lookup, {type, 256, {1}, {1}}, own_key).status == Status::mismatch);
      }
}

TEST_CASE("a bound request holds whole messages from its first to its last", "[keyd][policy]") {
  const auto messages = [](std::initializer_list<uint8_t> types) {
    std::vector<uint8_t> content;
    for (const uint8_t type : types) content.insert(content.end(), {type, 0, 0, 2, 'a', 'b'});
    return content;
  };
  const auto judged = [](Kind kind, const std::vector<uint8_t>& content) {
    return judge(kind, Scheme::ecdsa_sha256, KeyType::p256, content);
  };
  const auto tls13 = messages({1, 2, 8, 13, 11, 15, 20, 11}), tls12 = messages({1, 2, 11, 12, 13, 14, 11, 16});
  CHECK(judged(Kind::tls13_client_bound, tls13) == Status::ok);
  CHECK(judged(Kind::tls13_client_bound, messages({254, 2, 1, 2, 8, 13, 11, 15, 20, 11})) == Status::ok);
  CHECK(judged(Kind::tls12_client, tls12) == Status::ok);
  CHECK(judged(Kind::tls13_client_bound, tls12) == Status::denied);
  CHECK(judged(Kind::tls12_client, tls13) == Status::denied);
  CHECK(judged(Kind::tls12_client, messages({254, 2, 1, 16})) == Status::denied);  // not defined in TLS 1.2
  for (const Kind kind : {Kind::tls13_client_bound, Kind::tls12_client}) {
    const auto& right = kind == Kind::tls13_client_bound ? tls13 : tls12;
    CHECK(judged(kind, {}) == Status::denied);
    CHECK(judged(kind, and_one_more(right)) == Status::denied);
    CHECK(judged(kind, {right.begin(), right.end() - 1}) == Status::denied);
    CHECK(judged(kind, {right.begin() + 1, right.end()}) == Status::denied);
    CHECK(judged(kind, std::vector<uint8_t>(32, 1)) == Status::denied);  // a hash is not a message
    CHECK(judged(kind, std::vector<uint8_t>(130, 0x20)) == Status::denied);
  }
}
