// What the notary accepts as the sign that the device with a client id is there (bind_device), and what it refuses.
// OpenSSL makes the handshakes.
#include "keyd/notary/device_verifier.h"

#include "catch.h"
#include "common/config.h"
#include "keyd/notary/judge.h"
#include "keyd_handshakes.h"

using keyd::BoundDevice;
using witness::Certificate;
using witness::Recorded;
using From = BoundDevice::ClientIdFrom;

namespace {

using Messages = std::vector<uint8_t>;

ipc::Presence presence_of(const Recorded& recorded) {
  return recorded.hash_size == 48   ? ipc::Presence::tls13_sha384
         : recorded.hash_size == 32 ? ipc::Presence::tls13_sha256
                                    : ipc::Presence::tls12;
}

struct World {
  Certificate site = witness::authority("site"), other = witness::authority("other");
  Certificate listener = witness::issue({}, &site);
  Certificate device = witness::issue({.names = "", .common_name = "dev1"}, &site);
  BoundDevice settings{.authorities = {"/etc/site.pem", site.pem(), "keyd.json: bind_device.cacertfile"}};

  Recorded shake(std::vector<Certificate> chain, bool tls13 = true) {
    return witness::handshake({.tls13 = tls13, .server = {listener}, .client = std::move(chain)});
  }
  keyd::Question question_of(const Recorded& recorded) {
    return {.presence = presence_of(recorded), .scheme = static_cast<ipc::Scheme>(recorded.client_scheme)};
  }
  std::string judge(const Recorded& recorded, const std::string& client_id = "dev1") {
    return judge(question_of(recorded), client_id, recorded.client_signature, recorded.transcript());
  }
  std::string judge(const keyd::Question& question, const std::string& client_id, const Messages& signature,
                    const Messages& messages) {
    return keyd::DeviceVerifier(settings).judge(question, client_id, signature, messages);
  }
};

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return true;
}

}  // namespace

TEST_CASE("a device's handshake is accepted for the client id in its certificate, whatever its key, suite and version",
          "[keyd][notary]") {
  World world;
  for (const std::string key : {"P-256", "P-384", "P-521", "RSA:2048", "RSA:4096", "ED25519"}) {
    const auto device = witness::issue({.names = "", .key = key, .common_name = "dev1"}, &world.site);
    struct Variant {
      bool tls13, retry;
      const char* suite;
    };
    for (const auto& [tls13, retry, suite] : {Variant{true, false, "TLS_AES_128_GCM_SHA256"},
                                              {true, true, "TLS_AES_256_GCM_SHA384"},
                                              {false, false, "ECDHE+AESGCM"}}) {
      CAPTURE(key, tls13, suite);
      const auto recorded = witness::handshake(
          {.tls13 = tls13, .retry = retry, .suite = suite, .server = {world.listener}, .client = {device}});
      CHECK(world.judge(recorded) == "");
    }
  }
}

TEST_CASE("only the client id that the device's certificate is for is accepted", "[keyd][notary]") {
  World world;
  const auto named =
      witness::issue({.names = "DNS:dns1,URI:urn:dev:1,email:mail@x", .common_name = "dev1"}, &world.site);
  for (const bool tls13 : {true, false}) {
    const auto recorded = world.shake({named}, tls13);
    world.settings.client_id_from = From::cn;
    CHECK(world.judge(recorded, "dev1") == "");
    for (const std::string id : {"dns1", "dev", "dev11", "DEV1", "", "urn:dev:1"}) {
      CAPTURE(id);
      CHECK(has(world.judge(recorded, id), "the client id is not the common name of the device's certificate"));
    }
    world.settings.client_id_from = From::san;
    CHECK(world.judge(recorded, "dns1") == "");
    CHECK(world.judge(recorded, "urn:dev:1") == "");
    for (const std::string id : {"dev1", "mail@x", "", "DNS1", "dns"}) {
      CAPTURE(id);
      CHECK(has(world.judge(recorded, id), "the client id is not a DNS or URI name of the device's certificate"));
    }
  }
  const auto nameless = witness::issue({.names = "", .common_name = ""}, &world.site);
  world.settings.client_id_from = From::cn;
  CHECK(has(world.judge(world.shake({nameless}), ""), "the client id is not the common name"));
}

TEST_CASE("the device's chain must lead to the configured authorities now, and be for TLS clients", "[keyd][notary]") {
  World world;
  const auto judged = [&](std::vector<Certificate> chain) { return world.judge(world.shake(std::move(chain))); };
  const auto signing = witness::authority("signing", &world.site);
  const auto below = witness::issue({.names = "", .common_name = "dev1"}, &signing);
  CHECK(judged({below, signing}) == "");
  CHECK(has(judged({below}), "the device's certificate 0"));
  CHECK(
      has(judged({witness::issue({.names = "", .common_name = "dev1"}, &world.other)}), "the device's certificate 0"));
  CHECK(has(judged({witness::issue({.names = "", .common_name = "dev1"})}), "the device's"));
  CHECK(has(judged({witness::issue({.names = "", .from_days = -9, .to_days = -1, .common_name = "dev1"}, &world.site)}),
            "expired on "));
  CHECK(has(judged({witness::issue({.names = "", .from_days = 1, .common_name = "dev1"}, &world.site)}),
            "is not valid before "));
  CHECK(has(judged({witness::issue({.names = "", .extended_usage = "serverAuth", .common_name = "dev1"}, &world.site)}),
            "the device's certificate 0"));
  world.settings.authorities.text = signing.pem();
  CHECK(has(judged({below, signing}), "the device's"));
  world.settings.partial_chain = true;
  CHECK(judged({below, signing}) == "");
}

TEST_CASE("the device's signature must cover this very handshake, with the key of the certificate in it",
          "[keyd][notary]") {
  World world;
  constexpr const char* kNotSigned = "the device's signature is not for this handshake";
  for (const bool tls13 : {true, false}) {
    CAPTURE(tls13);
    const auto recorded = world.shake({world.device}, tls13), second = world.shake({world.device}, tls13);
    const auto question = world.question_of(recorded);
    const Messages messages = recorded.transcript();
    CHECK(world.judge(question, "dev1", second.client_signature, messages) == kNotSigned);
    CHECK(world.judge(question, "dev1", {}, messages) == kNotSigned);
    Messages changed = messages;
    changed[tls13 ? 20 : 20] ^= 1;  // in the client's random
    CHECK(world.judge(question, "dev1", recorded.client_signature, changed) == kNotSigned);
    auto other = question;
    other.scheme = static_cast<ipc::Scheme>(0x0804);
    CHECK(world.judge(other, "dev1", recorded.client_signature, messages) ==
          "the device's signature scheme does not fit its key");
    if (tls13) {
      other = question;
      other.presence =
          question.presence == ipc::Presence::tls13_sha256 ? ipc::Presence::tls13_sha384 : ipc::Presence::tls13_sha256;
      CHECK(world.judge(other, "dev1", recorded.client_signature, messages) == kNotSigned);
    }
    for (size_t size = 0; size < messages.size(); size += 7)
      CHECK(world.judge(question, "dev1", recorded.client_signature, {messages.begin(), messages.begin() + size}) !=
            "");
  }
}

TEST_CASE("a device that shows another's certificate without its key is refused", "[keyd][notary]") {
  World world;
  const auto thief = witness::issue({.names = "", .common_name = "dev2"}, &world.site);
  auto recorded = world.shake({thief});
  // The victim's certificate in place of the thief's: the signature is still the thief's.
  const auto victims = world.shake({world.device});
  recorded.messages.back() = victims.messages.back();
  CHECK(world.judge(recorded) == "the device's signature is not for this handshake");
}

TEST_CASE("the notary answers each question only if its setting is there", "[keyd][notary]") {
  World world;
  const auto recorded = world.shake({world.device});
  const auto ask = [&](keyd::Judge& judge, keyd::Question question, const std::string& id, const Messages& signature) {
    question.job = 5;
    question.client_id_size = static_cast<uint16_t>(id.size());
    question.signature_size = static_cast<uint16_t>(signature.size());
    const auto* head = reinterpret_cast<const uint8_t*>(&question);
    Messages datagram(head, head + sizeof question);
    datagram.insert(datagram.end(), id.begin(), id.end());
    datagram.insert(datagram.end(), signature.begin(), signature.end());
    const auto messages = recorded.transcript();
    datagram.insert(datagram.end(), messages.begin(), messages.end());
    const auto answer = judge.answer(datagram);
    REQUIRE(answer);
    CHECK(answer->job == 5);
    return std::string(answer->problem);
  };
  keyd::Judge device({.device = world.settings}),
      remote({.remote = keyd::BoundRemote{{"broker.example"}, {}, world.settings.authorities}});
  const keyd::Question about_device = world.question_of(recorded),
                       about_remote{.kind = recorded.kind, .device = world.device.spki()};
  CHECK(ask(device, about_device, "dev1", recorded.client_signature) == "");
  CHECK(ask(device, about_remote, "dev1", {}) == "bind_remote is not set");
  CHECK(ask(remote, about_remote, "dev1", {}) == "");
  CHECK(ask(remote, about_device, "dev1", recorded.client_signature) == "bind_device is not set");
  CHECK_FALSE(device.answer(Messages(sizeof(keyd::Question) - 1)));
  keyd::Question too_long;
  too_long.client_id_size = 1;
  const auto* head = reinterpret_cast<const uint8_t*>(&too_long);
  CHECK_FALSE(device.answer({head, sizeof too_long}));
}

TEST_CASE("bind_device's authorities without a certificate are an error that names the setting", "[keyd][notary]") {
  World world;
  world.settings.authorities.text = "nothing";
  try {
    keyd::DeviceVerifier verifier(world.settings);
    FAIL("it was accepted");
  } catch (const common::ConfigError& error) {
    CHECK(has(error.what(), "keyd.json: bind_device.cacertfile: /etc/site.pem: it is not PEM"));
  }
}
