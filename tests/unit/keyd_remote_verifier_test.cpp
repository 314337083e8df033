// What the notary accepts as a device's handshake with the configured broker, and what it refuses. OpenSSL makes the
// handshakes.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <set>

#include "catch.h"
#include "common/config.h"
#include "keyd/notary/remote_verifier.h"
#include "keyd_handshakes.h"

using keyd::RemoteVerifier;
using witness::Certificate;
using witness::Recorded;

namespace {

using Transcript = std::vector<uint8_t>;

RemoteVerifier knowing(const std::string& remote_host, const std::string& authorities,
                       const std::vector<std::string>& alpn = {}) {
  return RemoteVerifier({{remote_host}, alpn, {"/etc/ca.pem", authorities, "keyd.json: bind_remote.cacertfile"}});
}

struct World {
  Certificate root = witness::authority("root");
  Certificate device = witness::issue({.names = "", .common_name = "device"}, &root);
  Certificate server = witness::issue({}, &root);
  RemoteVerifier verifier = knowing("broker.example", root.pem());

  keyd::NotaryAnswer ask(ipc::Kind kind, const Transcript& transcript) {
    return verifier.answer({.job = 7, .kind = kind, .device = device.spki()}, transcript);
  }
  std::string problem(ipc::Kind kind, const Transcript& transcript) { return ask(kind, transcript).problem; }
  std::string problem(const Recorded& recorded) { return problem(recorded.kind, recorded.transcript()); }
  Recorded shake(bool tls13, std::vector<Certificate> chain) {
    return witness::handshake({.tls13 = tls13, .server = std::move(chain), .client = {device}});
  }
  std::string problem_with(std::vector<Certificate> chain) {
    const auto in12 = problem(shake(false, chain)), in13 = problem(shake(true, chain));
    CHECK(in12.empty() == in13.empty());
    return in13;
  }
};

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  INFO(part);
  CHECK(text.find(part) != std::string::npos);
  return true;
}

constexpr const char* kNoIssuer = "which is not in /etc/ca.pem and was not sent";
constexpr const char* kStrangeRoot = "is the root of the chain that the remote sent, and is not in /etc/ca.pem";
constexpr const char* kNoAuthority = "is not a CA, but another certificate of the chain names it as its issuer";
constexpr const char* kNotSigned = "the server's signature is not for this handshake";

// The end of the messages that the server's signature covers, and the message with that signature.
size_t end_of_type(const Recorded& recorded, uint8_t type) {
  size_t at = 0;
  for (const auto& message : recorded.messages) {
    at += message.size();
    if (message[0] == type) return at;
  }
  throw std::runtime_error("no such message");
}

}  // namespace

TEST_CASE("a handshake with the configured broker is accepted with its hash size", "[keyd][notary]") {
  World world;
  for (const std::string key : {"RSA:2048", "P-256", "P-384", "P-521", "ED25519"}) {
    const auto server = witness::issue({.key = key}, &world.root);
    for (const bool tls13 : {true, false})
      for (const bool sha384 : {true, false}) {
        CAPTURE(key, tls13, sha384);
        const std::string suite = tls13    ? sha384 ? "TLS_AES_256_GCM_SHA384" : "TLS_CHACHA20_POLY1305_SHA256"
                                  : sha384 ? "ECDHE+AESGCM+AES256"
                                           : "ECDHE+CHACHA20";
        const auto recorded =
            witness::handshake({.tls13 = tls13, .suite = suite, .server = {server}, .client = {world.device}});
        const auto answer = world.ask(recorded.kind, recorded.transcript());
        CHECK(std::string(answer.problem) == "");
        CHECK(answer.job == 7);
        CHECK(answer.transcript_hash == (tls13 ? sha384 ? 48 : 32 : 0));
        CHECK(answer.transcript_hash == recorded.hash_size);
        const auto other = tls13 ? ipc::Kind::tls12_client : ipc::Kind::tls13_client_bound;
        CHECK(world.problem(other, recorded.transcript()) != "");
      }
  }
}

TEST_CASE("every signature scheme that relayd offers is accepted from a server", "[keyd][notary]") {
  World world;
  const auto rsa = witness::issue({.key = "RSA:2048"}, &world.root),
             p384 = witness::issue({.key = "P-384"}, &world.root);
  for (const std::string hash : {"SHA256", "SHA384", "SHA512"}) {
    for (const std::string scheme : {"RSA+", "RSA-PSS+", "ECDSA+"}) {
      CAPTURE(scheme, hash);
      const bool is_rsa = scheme.starts_with("RSA");
      // The client's own key is P-256, and needs a scheme, too.
      const auto recorded = witness::handshake({.tls13 = false,
                                                .server_schemes = scheme + hash + (is_rsa ? ":ECDSA+SHA256" : ""),
                                                .server = {is_rsa ? rsa : p384},
                                                .client = {world.device}});
      CHECK(world.problem(recorded) == "");
    }
    const auto recorded = witness::handshake(
        {.server_schemes = "RSA-PSS+" + hash + ":ECDSA+SHA256", .server = {rsa}, .client = {world.device}});
    CHECK(world.problem(recorded) == "");
  }
}

TEST_CASE("a handshake after a HelloRetryRequest is accepted", "[keyd][notary]") {
  World world;
  for (const std::string suite : {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"}) {
    auto recorded =
        witness::handshake({.retry = true, .suite = suite, .server = {world.server}, .client = {world.device}});
    REQUIRE(recorded.messages[0][0] == 254);
    CHECK(world.problem(recorded) == "");
    recorded.messages[0][10] ^= 1;
    CHECK(world.problem(recorded) == kNotSigned);
    recorded.messages.erase(recorded.messages.begin());
    CHECK(world.problem(recorded) == "the transcript has no ClientHello where it belongs");
  }
}

TEST_CASE("a chain with intermediate authorities is accepted", "[keyd][notary]") {
  World world;
  const auto upper = witness::authority("upper", &world.root), lower = witness::authority("lower", &upper);
  const auto server = witness::issue({}, &lower);
  CHECK(world.problem_with({server, lower, upper}) == "");
  CHECK(world.problem_with({server, lower, upper, world.root}) == "");
}

TEST_CASE("what a peer sends is not an authority for any other peer", "[keyd][notary]") {
  World world;
  const auto middle = witness::authority("middle", &world.root);
  const auto server = witness::issue({}, &middle);
  CHECK(world.problem_with({server, middle}) == "");
  has(world.problem_with({server}), kNoIssuer);  // still
  const auto own = witness::authority("own"), forged = witness::issue({}, &own);
  has(world.problem_with({forged, own}), kStrangeRoot);
  has(world.problem_with({forged}), kNoIssuer);
  // The real CA's name with another key.
  const auto namesake = witness::authority("root"), by_namesake = witness::issue({}, &namesake);
  CHECK(world.problem_with({by_namesake, namesake}) != "");
}

TEST_CASE("a server or device certificate is not an authority", "[keyd][notary]") {
  World world;
  has(world.problem_with({witness::issue({}, &world.device), world.device}), kNoAuthority);
  has(world.problem_with({witness::issue({}, &world.server), world.server}), kNoAuthority);
  const auto no_signer = witness::issue(
      {.names = "", .constraints = "critical,CA:TRUE", .usage = "digitalSignature", .common_name = "n"}, &world.root);
  CHECK(world.problem_with({witness::issue({}, &no_signer), no_signer}) != "");
}

TEST_CASE("an authority's path length is obeyed", "[keyd][notary]") {
  World world;
  const auto last = witness::authority("last", &world.root, "CA:TRUE,pathlen:0");
  CHECK(world.problem_with({witness::issue({}, &last), last}) == "");
  const auto beyond = witness::authority("beyond", &last);
  CHECK(world.problem_with({witness::issue({}, &beyond), beyond, last}) != "");
}

TEST_CASE("another server's certificate is refused for its own reason", "[keyd][notary]") {
  World world;
  const auto by_root = [&](witness::CertificateOptions options) {
    return world.problem_with({witness::issue(options, &world.root)});
  };
  const auto stranger = witness::authority("stranger");
  has(world.problem_with({witness::issue({}, &stranger)}), kNoIssuer);
  has(by_root({.names = "DNS:other.example"}),
      "the remote broker's certificate 0 (\"CN=test\") is for DNS:other.example, not for \"broker.example\"; set "
      "bind_remote.remote_host to a name of the certificate");
  has(by_root({.from_days = -9, .to_days = -1}), "certificate 0 (\"CN=test\") expired on ");
  has(by_root({.from_days = 1}), "certificate 0 (\"CN=test\") is not valid before ");
  has(by_root({.extended_usage = "clientAuth"}), "extendedKeyUsage lacks serverAuth");
  CHECK(by_root({.extended_usage = "serverAuth"}) == "");
  // OpenSSL's client has no such handshake. TLS 1.2's signature does not cover the certificate: another for the same
  // key.
  auto recorded = world.shake(false, {world.server});
  const auto unfit = witness::issue({.usage = "cRLSign", .of = &world.server}, &world.root).der();
  auto& message = recorded.messages[2] = {11};
  for (const size_t length : {unfit.size() + 6, unfit.size() + 3, unfit.size()})
    message.insert(message.end(), {0, static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)});
  message.insert(message.end(), unfit.begin(), unfit.end());
  has(world.problem(recorded), "keyUsage lacks digitalSignature");
  CHECK(by_root({.usage = "digitalSignature"}) == "");
  has(by_root({.key = "RSA:1024"}), "key that is too small");
  const auto expired = witness::issue({.names = "",
                                       .constraints = "critical,CA:TRUE",
                                       .usage = "keyCertSign",
                                       .from_days = -9,
                                       .to_days = -1,
                                       .common_name = "old"},
                                      &world.root);
  has(world.problem_with({witness::issue({}, &expired), expired}), "certificate 1 (\"CN=old\") expired on ");
}

TEST_CASE("the name is the configured one, with wildcards in the leftmost label only", "[keyd][notary]") {
  World world;
  const auto is_for = [&](const std::string& host, const std::string& names, const std::string& common_name = "test") {
    world.verifier = knowing(host, world.root.pem());
    const auto server = witness::issue({.names = names, .common_name = common_name}, &world.root);
    const bool address = host.find_first_of(":7") != host.npos;
    return world
        .problem(witness::handshake({.server = {server}, .client = {world.device}, .server_name = address ? "" : host}))
        .empty();
  };
  CHECK(is_for("broker.example", "DNS:x.example,DNS:BROKER.example"));
  CHECK(is_for("a.broker.example", "DNS:*.broker.example"));
  CHECK_FALSE(is_for("broker.example", "DNS:*.broker.example"));
  CHECK_FALSE(is_for("a.b.broker.example", "DNS:*.broker.example"));
  CHECK_FALSE(is_for("a.broker.example", "DNS:a.*.example"));
  CHECK(is_for("abc.broker.example", "DNS:a*.broker.example"));  // RFC 6125 section 6.4.3 leaves it to us
  CHECK_FALSE(is_for("broker.example", "DNS:x.example", "broker.example"));
  CHECK(is_for("192.0.2.7", "IP:192.0.2.7"));
  CHECK(is_for("2001:db8::7", "IP:2001:db8:0::7"));
  CHECK_FALSE(is_for("192.0.2.7", "IP:192.0.2.8"));
  CHECK_FALSE(is_for("192.0.2.7", "DNS:192.0.2.7"));
}

TEST_CASE("a handshake that asks for another server name than the configured one is refused", "[keyd][notary]") {
  World world;
  // One certificate for several services.
  const auto server = witness::issue({.names = "DNS:broker.example,DNS:admin.example,IP:192.0.2.7"}, &world.root);
  for (const bool tls13 : {true, false})
    for (const bool retry : {true, false}) {
      CAPTURE(tls13, retry);
      const auto asking = [&](const std::string& name) {
        return world.problem(witness::handshake(
            {.tls13 = tls13, .retry = retry, .server = {server}, .client = {world.device}, .server_name = name}));
      };
      world.verifier = knowing("broker.example", world.root.pem());
      CHECK(asking("broker.example") == "");
      CHECK(asking("BROKER.example") == "");
      CHECK(asking("admin.example") ==
            "the ClientHello asks for the server name admin.example, and bind_remote.remote_host is broker.example");
      CHECK(asking("") ==
            "the ClientHello asks for the server name none, and bind_remote.remote_host is broker.example");
      world.verifier = knowing("192.0.2.7", world.root.pem());
      CHECK(asking("") == "");
      has(asking("admin.example"), "asks for the server name admin.example, and bind_remote.remote_host is an address");
    }
}

TEST_CASE("with several brokers configured, each is accepted under its own name only", "[keyd][notary]") {
  World world;
  const keyd::Authorities authorities{"/etc/ca.pem", world.root.pem(), "keyd.json: bind_remote.cacertfile"};
  world.verifier = RemoteVerifier({{"a.example", "b.example", "192.0.2.7", "192.0.2.8"}, {}, authorities});
  const auto asking = [&](const std::string& name, const std::string& of) {
    const auto server = witness::issue({.names = of}, &world.root);
    return world.problem(witness::handshake({.server = {server}, .client = {world.device}, .server_name = name}));
  };
  CHECK(asking("a.example", "DNS:a.example") + asking("B.example", "DNS:b.example") == "");
  CHECK(asking("", "IP:192.0.2.8") == "");
  has(asking("a.example", "DNS:b.example"), "is for DNS:b.example, not for \"a.example\"; set bind_remote.remote_host");
  has(asking("", "DNS:a.example"), "is for DNS:a.example, not for \"192.0.2.8\"");
  has(asking("", "IP:192.0.2.9"), "not for \"192.0.2.8\"");
  CHECK(asking("c.example", "DNS:a.example,DNS:c.example") ==
        "the ClientHello asks for the server name c.example, and bind_remote.remote_host is a.example, b.example, an "
        "address (none), an address (none)");
}

TEST_CASE("a handshake that offers other ALPN protocols than the configured ones is refused", "[keyd][notary]") {
  World world;
  using Names = std::vector<std::string>;
  for (const bool tls13 : {true, false}) {
    CAPTURE(tls13);
    const auto offering = [&](const Names& names, const Names& allowed) {
      world.verifier = knowing("broker.example", world.root.pem(), allowed);
      return world.problem(
          witness::handshake({.tls13 = tls13, .server = {world.server}, .client = {world.device}, .alpn = names}));
    };
    for (const Names& names : {Names{}, Names{"mqtt"}, Names{"mqtt", "x-amzn-mqtt-ca"}})
      CHECK(offering(names, names) == "");
    CHECK(offering({"h2"}, {}) == "the ClientHello offers the ALPN protocols h2, and bind_remote.alpn is none");
    for (const Names& names : {Names{}, Names{"h2"}, Names{"mqtt", "h2"}, Names{"MQTT"}, Names{"mqtt", "mqtt"}})
      has(offering(names, {"mqtt"}), ", and bind_remote.alpn is mqtt");
  }
}

TEST_CASE("a server's choice of ALPN that was not offered is refused", "[keyd][notary]") {
  World world;
  world.verifier = knowing("broker.example", world.root.pem(), {"mqtt"});
  for (const bool tls13 : {true, false}) {
    CAPTURE(tls13);
    auto recorded =
        witness::handshake({.tls13 = tls13, .server = {world.server}, .client = {world.device}, .alpn = {"mqtt"}});
    // In EncryptedExtensions, or in TLS 1.2 the ServerHello, which the server does not sign.
    auto& message = *std::find_if(recorded.messages.begin(), recorded.messages.end(),
                                  [&](const auto& one) { return one[0] == (tls13 ? 8 : 2); });
    const std::string_view name = "mqtt";
    const auto at = std::search(message.begin(), message.end(), name.begin(), name.end());
    REQUIRE(at != message.end());
    *at = 'x';
    CHECK(world.problem(recorded) == "the server chose the ALPN protocol xqtt, which was not offered");
  }
}

TEST_CASE("a ClientHello with two server names, or with an extension twice, is malformed", "[keyd][notary]") {
  World world;
  const auto good = world.shake(true, {world.server});
  const std::string_view name = "broker.example";
  // Where the extension begins: type, length, list's length, type, length, name.
  const auto& hello = good.messages[0];
  const size_t at =
      static_cast<size_t>(std::search(hello.begin(), hello.end(), name.begin(), name.end()) - hello.begin()) - 9;
  REQUIRE((hello[at] == 0 && hello[at + 1] == 0));
  const size_t entry = 3 + name.size(), extension = 6 + entry;
  const auto longer = [](Transcript& message, size_t where, size_t width, size_t by) {
    size_t value = by;
    for (size_t i = 0; i < width; i++) value += size_t{message[where + i]} << 8 * (width - 1 - i);
    for (size_t i = 0; i < width; i++) message[where + i] = static_cast<uint8_t>(value >> 8 * (width - 1 - i));
  };
  // The extensions' length is behind the session id, the suites and the compressions.
  size_t lengths = 4 + 2 + 32;
  lengths += 1u + hello[lengths];
  lengths += 2u + (hello[lengths] << 8 | hello[lengths + 1]);
  lengths += 1u + hello[lengths];
  const auto grown = [&](size_t from, size_t size, bool in_extension) {
    Recorded changed = good;
    auto& message = changed.messages[0];
    const Transcript piece(message.begin() + static_cast<long>(from), message.begin() + static_cast<long>(from + size));
    message.insert(message.begin() + static_cast<long>(from), piece.begin(), piece.end());
    longer(message, 1, 3, size);
    longer(message, lengths, 2, size);
    if (in_extension) longer(message, at + 2, 2, size), longer(message, at + 4, 2, size);
    return world.problem(changed);
  };
  CHECK(grown(at + 6, entry, true) == "malformed ClientHello");
  CHECK(grown(at, extension, false) == "malformed ClientHello");
}

TEST_CASE("the server's signature must be over this handshake", "[keyd][notary]") {
  World world;
  const auto other_key = witness::issue({}, &world.root);
  for (const bool tls13 : {true, false}) {
    CAPTURE(tls13);
    const uint8_t certificate = 11, signed_by = tls13 ? 15 : 12;
    const auto find = [](Recorded& recorded, uint8_t type) {
      return std::ranges::find_if(recorded.messages, [&](const auto& message) { return message[0] == type; });
    };
    auto first = world.shake(tls13, {world.server}), second = world.shake(tls13, {world.server});
    auto stranger = world.shake(tls13, {other_key});
    REQUIRE(world.problem(first) == "");
    SECTION("not another handshake's" + std::to_string(tls13)) {
      *find(first, signed_by) = *find(second, signed_by);
      CHECK(world.problem(first) == kNotSigned);
    }
    SECTION("not by another server's key" + std::to_string(tls13)) {
      *find(stranger, certificate) = *find(first, certificate);
      CHECK(world.problem(stranger) == kNotSigned);
    }
    SECTION("not with another ClientHello" + std::to_string(tls13)) {
      first.messages[0][10] ^= 1;
      CHECK(world.problem(first) == kNotSigned);
    }
  }
}

TEST_CASE("the client's certificate must be the device's", "[keyd][notary]") {
  World world;
  const auto other = witness::issue({.names = "", .common_name = "device"}, &world.root);
  for (const bool tls13 : {true, false}) {
    const auto recorded = witness::handshake({.tls13 = tls13, .server = {world.server}, .client = {other}});
    CHECK(world.problem(recorded) == "the client's certificate in the transcript is not the device's");
    // Other certificates may follow the device's own leaf.
    CHECK(world.problem(witness::handshake(
              {.tls13 = tls13, .server = {world.server}, .client = {world.device, world.root}})) == "");
  }
}

TEST_CASE("each handshake message occurs once, in order and whole", "[keyd][notary]") {
  World world;
  for (const bool tls13 : {true, false}) {
    const auto good = world.shake(tls13, {world.server});
    const size_t count = good.messages.size();
    REQUIRE(count == 8);
    CAPTURE(tls13);
    for (size_t i = 0; i < count; i++) {
      CAPTURE(i);
      Recorded missing = good, doubled = good, swapped = good;
      missing.messages.erase(missing.messages.begin() + static_cast<long>(i));
      CHECK(world.problem(missing).find("the transcript has no ") == 0);
      doubled.messages.insert(doubled.messages.begin() + static_cast<long>(i), good.messages[i]);
      CHECK(world.problem(doubled).find(i + 1 < count ? "the transcript has no " : "the transcript does not end") == 0);
      if (i + 1 < count) {
        std::swap(swapped.messages[i], swapped.messages[i + 1]);
        CHECK(world.problem(swapped) != "");
      }
    }
    const auto whole = good.transcript();
    for (size_t size = 0; size < whole.size(); size++)
      CHECK(world.problem(good.kind, Transcript(whole.begin(), whole.begin() + static_cast<long>(size))) != "");
    for (const int behind : {0, 1, 11, 20, 254}) {
      auto longer = whole;
      longer.push_back(static_cast<uint8_t>(behind));
      CHECK(world.problem(good.kind, longer) != "");
    }
    CHECK(world.problem(good.kind, Transcript(ipc::kMaxTranscript + 1, 1)) == "the transcript is too long");
  }
  const auto good = world.shake(true, {world.server});
  CHECK(world.problem(ipc::Kind::tls13_client, good.transcript()) == "this kind of signature has no transcript");
}

// In TLS 1.3 all up to the server's CertificateVerify; in TLS 1.2 the randoms, its certificate and its key share.
TEST_CASE("no byte that the server signed can be changed", "[keyd][notary]") {
  World world;
  for (const bool tls13 : {true, false}) {
    CAPTURE(tls13);
    const auto good = world.shake(tls13, {world.server});
    const auto whole = good.transcript();
    REQUIRE(world.problem(good.kind, whole) == "");
    std::set<size_t> accepted;
    for (size_t i = 0; i < whole.size(); i++) {
      auto changed = whole;
      changed[i] ^= 0x20;
      if (world.problem(good.kind, changed).empty()) accepted.insert(i);
    }
    if (tls13) {
      // Only the server can judge what it did not sign: its Finished, and the rest of the client's certificate.
      REQUIRE_FALSE(accepted.empty());
      CHECK(*accepted.begin() >= end_of_type(good, 15));
    } else {
      const size_t hello = good.messages[0].size(), certificate = hello + good.messages[1].size();
      // The certificate's signed part, after ten bytes of lengths and four of its own header.
      const size_t tbs = certificate + 10 + 4, tbs_size = 4 + (size_t{whole[tbs + 2]} << 8) + whole[tbs + 3];
      REQUIRE(whole[tbs + 1] == 0x82);
      const size_t key_share = certificate + good.messages[2].size();
      for (const auto& [from, size] : {std::pair{hello - good.messages[0].size() + 6, size_t{32}},
                                       {hello + 6, size_t{32}},
                                       {certificate, tbs + tbs_size - certificate},
                                       {key_share, good.messages[3].size()}})
        for (size_t i = from; i < from + size; i++) CHECK_FALSE(accepted.contains(i));
    }
  }
}

TEST_CASE("a chain is validated once, and remembered for no other chain", "[keyd][notary]") {
  World world;
  for (uint64_t chain = 1; chain <= 3; chain++) {
    const auto server = witness::issue({}, &world.root);
    for (uint64_t time = 1; time <= 3; time++) {
      CHECK(world.problem(world.shake(true, {server})) == "");
      CHECK(world.verifier.counts().computed == chain);
      CHECK(world.verifier.counts().cached == 2 * (chain - 1) + time - 1);
    }
  }
}

TEST_CASE("a server's certificate with its point compressed is accepted", "[keyd][notary]") {
  World world;
  CHECK(world.problem_with({witness::issue({.compressed = true}, &world.root)}) == "");
}

TEST_CASE("unusable authorities stop the start", "[keyd][notary]") {
  const auto error_of = [](const std::string& pem) -> std::string {
    try {
      knowing("b", pem);
      return "";
    } catch (const common::ConfigError& error) {
      return error.what();
    }
  };
  for (const std::string pem : {"", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n",
                                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                                "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"}) {
    INFO(pem);
    has(error_of(pem), "keyd.json: bind_remote.cacertfile: /etc/ca.pem: ");
  }
  const auto root = witness::authority("root");
  const std::string broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  CHECK(error_of(broken + root.pem()) == "");
  // Entries that are not used are reported.
  const auto concerns = knowing("b", broken + root.pem()).concerns(time(nullptr));
  REQUIRE(concerns.size() == 1);
  has(concerns[0].text(), "/etc/ca.pem: \"CERTIFICATE\" in line 1 can't be read");
}

TEST_CASE("what the notary costs", "[.][measure]") {
  World world;
  for (const std::string key : {"P-256", "RSA:2048", "ED25519"}) {
    const auto recorded = world.shake(true, {witness::issue({.key = key}, &world.root)});
    const auto transcript = recorded.transcript();
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 2000; i++) world.ask(recorded.kind, transcript);
    const std::chrono::duration<double, std::micro> known = std::chrono::steady_clock::now() - begin;
    const auto device = world.device.spki();
    const auto again = std::chrono::steady_clock::now();
    for (int i = 0; i < 200; i++)
      knowing("broker.example", world.root.pem()).answer({.kind = recorded.kind, .device = device}, transcript);
    const std::chrono::duration<double, std::micro> fresh = std::chrono::steady_clock::now() - again;
    WARN(key << ": " << known.count() / 2000 << " us a question, " << fresh.count() / 200
             << " us with a new chain and verifier; transcript " << transcript.size() << " bytes");
  }
}
