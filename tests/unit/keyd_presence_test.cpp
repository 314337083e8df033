// Proof of presence: a device's key signs only for a device that has just made a handshake with the listener. The
// handshakes are OpenSSL's, with the listener's key in OpenSSL's server; keyd is told its signature as if it were
// keyd's.
#include "keyd/vault/presence.h"

#include "common/tls/sha2.h"
#include "keyd_handshakes.h"
#include "keyd_listened.h"
#include "keyd_support.h"

using namespace keyd;
using ipc::Presence;
using keyd_test::Listened;
using keyd_test::Vault;

namespace {

using Bytes = std::vector<uint8_t>;

constexpr char kUnknown[] =
    "the proof holds no listener signature that keyd made for this worker within presence_window";
constexpr char kNoMark[] = "the proof holds no mark that keyd gave out within presence_window";
constexpr char kNone[] = "no proof of presence";
constexpr char kSpent[] = "the proof is spent";
constexpr char kOther[] = "the proof is of another session";
constexpr char kOlder[] = "a newer connection of this device has been proved";
constexpr char kMadeHere[] = "the device's signature is one that keyd made";
constexpr char kWrong[] = "the device's signature does not verify under this key";

constexpr uint64_t kLane = 3;
uint64_t now_ns = 0;

struct World {
  Vault vault;
  witness::Certificate root = witness::authority("root"), listener = witness::issue({}, &root),
                       device = witness::issue({.names = ""}, &root);
  RecentHandshakes handshakes{std::chrono::seconds(60), [] { return now_ns; }};
  Signer signer;
  std::optional<RecentHandshakes::Id> id;

  World() { now_ns = 1'000'000'000; }

  witness::Recorded shake(bool tls13 = true) {
    return witness::handshake({.tls13 = tls13, .server = {listener}, .client = {device}, .mark = handshakes.mark()});
  }
  void remember(const witness::Recorded& recorded, uint64_t lane = kLane) {
    const Listened listened(recorded);
    REQUIRE(handshakes.remember(lane, listened.scheme, listened.content, listened.signature));
  }
  std::shared_ptr<PrivateKey> key_of(const witness::Certificate& certificate) {
    std::string problem;
    auto key = keyd_test::parse(certificate.key_pem(), vault, problem);
    REQUIRE(key);
    return key;
  }
  struct Question {
    uint64_t lane = kLane, session = 1;
    std::string client_id = "device";
    const witness::Certificate* key = nullptr;  // nullptr: the device's
    Bytes content = Bytes(32);                  // to sign
    bool agreed = false;                        // the notary has verified the signature
  };
  static ipc::Lookup key_in(const Question& question) {
    ipc::Lookup key;
    key.client_id = question.client_id;
    key.origin.session = question.session;
    return key;
  }
  // "", or why the proof does not hold.
  std::string prove(const witness::Recorded& recorded, const Question& question) {
    return prove(recorded, recorded.transcript(), question);
  }
  std::string prove(const witness::Recorded& recorded) { return prove(recorded, Question()); }
  std::string prove(const witness::Recorded& recorded, const Bytes& messages, const Question& question) {
    ipc::Lookup lookup = key_in(question);
    lookup.proof = {recorded.hash_size == 48   ? Presence::tls13_sha384
                    : recorded.hash_size == 32 ? Presence::tls13_sha256
                                               : Presence::tls12,
                    static_cast<ipc::Scheme>(recorded.client_scheme), recorded.client_signature, messages};
    const auto key = key_of(question.key ? *question.key : device);
    const char* problem = handshakes.prove(question.lane, lookup, question.agreed ? nullptr : key.get(), signer, id);
    return problem ? problem : "";
  }
  // "", or why the session gets no signature.
  std::string use(const Question& question) {
    ipc::Sign sign;
    sign.key = key_in(question);
    sign.content = question.content;
    const Verdict verdict = handshakes.use(question.lane, sign, id);
    CHECK((verdict.status == ipc::Status::superseded) == (verdict.reason == std::string(kOlder)));
    return verdict.reason;
  }
  std::string use() { return use(Question()); }
};

}  // namespace

TEST_CASE("a device's handshake with the listener proves its presence, whatever its key, suite and version",
          "[keyd][presence]") {
  World world;
  for (const std::string listener : {"P-256", "RSA:2048", "ED25519"})
    for (const std::string type : {"P-256", "P-384", "P-521", "RSA:2048", "RSA:4096", "ED25519"}) {
      world.listener = witness::issue({.key = listener}, &world.root);
      world.device = witness::issue({.names = "", .key = type}, &world.root);
      struct Variant {
        bool tls13, retry;
        const char* suite;
      };
      for (const auto& [tls13, retry, suite] : {Variant{true, false, "TLS_AES_128_GCM_SHA256"},
                                                {true, true, "TLS_AES_128_GCM_SHA256"},
                                                {true, false, "TLS_AES_256_GCM_SHA384"},
                                                {true, true, "TLS_AES_256_GCM_SHA384"},
                                                {false, false, "ECDHE+AESGCM"}}) {
        CAPTURE(listener, type, tls13, retry, suite);
        const auto recorded = witness::handshake({.tls13 = tls13,
                                                  .retry = retry,
                                                  .suite = suite,
                                                  .server = {world.listener},
                                                  .client = {world.device},
                                                  .mark = world.handshakes.mark()});
        CHECK(recorded.messages[0][0] == (retry ? 254 : 1));
        CHECK(world.prove(recorded) == kUnknown);
        world.remember(recorded);
        CHECK(world.prove(recorded) == "");
      }
    }
}

TEST_CASE("a proof is good for three signatures of one session of one client id", "[keyd][presence]") {
  World world;
  for (const bool tls13 : {true, false}) {
    const auto recorded = world.shake(tls13);
    world.remember(recorded);
    const uint64_t session = tls13 ? 7 : 8;
    CHECK(world.use({.session = session}) == kNone);
    CHECK(world.prove(recorded, {.session = session}) == "");
    CHECK(world.prove(recorded, {.session = 9}) == kOther);
    CHECK(world.prove(recorded, {.session = session, .client_id = "other"}) == kOther);
    for (int i = 0; i < 3; i++) CHECK(world.use({.session = session}) == "");
    CHECK(world.use({.session = session}) == kSpent);
    CHECK(world.prove(recorded, {.session = session}) == "");  // the same handshake again is not renewed
    CHECK(world.use({.session = session}) == kSpent);
    CHECK(world.use({.session = 9}) == kNone);
    CHECK(world.use({.session = session, .client_id = "other"}) == kNone);
  }
}

TEST_CASE("a device's newer handshake, at whatever worker, ends the signatures of its older connections",
          "[keyd][presence]") {
  World world;
  const auto older = world.shake(), newer = world.shake();
  const World::Question first{.lane = 1}, second{.lane = 2};
  const bool in_order = GENERATE(true, false);  // of the proofs
  world.remember(older, 1);
  now_ns++;
  world.remember(newer, 2);
  if (!in_order) CHECK(world.prove(newer, second) == "");
  CHECK(world.prove(older, first) == "");
  if (in_order) CHECK(world.use(first) == "");
  if (in_order) CHECK(world.prove(newer, second) == "");
  CHECK(world.use(first) == kOlder);
  CHECK(world.use(second) == "");
  CHECK(world.use(first) == kOlder);
}

TEST_CASE("a handshake has the time of its listener's signature: a worker that holds one back supersedes nobody",
          "[keyd][presence]") {
  World world;
  world.listener = witness::issue({.key = GENERATE("P-256", "ED25519")}, &world.root);
  const auto older = world.shake(), newer = world.shake();
  world.remember(older, 1);
  now_ns += 1'000'000'000;
  world.remember(newer, 2);
  CHECK(world.prove(newer, {.lane = 2}) == "");
  now_ns += 50'000'000'000;
  world.remember(older, 1);
  CHECK(world.prove(older, {.lane = 1}) == "");
  CHECK(world.prove(older, {.lane = 1, .session = 2}) == kOther);
  CHECK(world.use({.lane = 2}) == "");
  CHECK(world.use({.lane = 1}) == kOlder);
}

TEST_CASE("what proves nothing supersedes nobody, nor does a proof for another client id", "[keyd][presence]") {
  World world;
  const auto recorded = world.shake(), later = world.shake(), foreign = world.shake();
  const auto stranger = witness::issue({.names = ""}, &world.root);
  world.remember(recorded, 1);
  now_ns++;
  world.remember(later, 2);
  CHECK(world.prove(recorded, {.lane = 1}) == "");
  CHECK(world.prove(later, {.lane = 2, .key = &stranger}) == kWrong);
  CHECK(world.prove(foreign, {.lane = 2}) == kUnknown);
  CHECK(world.prove(later, {.lane = 2, .client_id = "other"}) == "");
  CHECK(world.use({.lane = 1}) == "");
  CHECK(world.use({.lane = 2}) == kNone);
}

TEST_CASE("a device's newest handshake is forgotten with presence_window, and no older one revives",
          "[keyd][presence]") {
  World world;
  const auto older = world.shake();
  world.remember(older, 1);
  now_ns += 30'000'000'000;
  const auto newer = world.shake();
  world.remember(newer, 2);
  CHECK(world.prove(older, {.lane = 1}) == "");
  CHECK(world.prove(newer, {.lane = 2}) == "");
  CHECK(world.use({.lane = 1}) == kOlder);
  now_ns += 30'000'000'000;
  const auto next = world.shake();
  world.remember(next, 1);
  CHECK(world.use({.lane = 1}) == kNone);
  CHECK(world.use({.lane = 2}) == "");
  now_ns += 30'000'000'000;
  world.remember(world.shake(), 1);  // forgets what is old in another worker's
  CHECK(world.use({.lane = 2}) == kNone);
  CHECK(world.prove(next, {.lane = 1, .session = 2}) == "");
  CHECK(world.use({.lane = 1, .session = 2}) == "");
}

// keyd has the device's key, so it could be made to sign what a device signs to prove its presence.
TEST_CASE("what keyd itself signed with a device's key proves nothing, at whatever worker", "[keyd][presence]") {
  World world;
  for (const bool tls13 : {true, false}) {
    const auto recorded = world.shake(tls13), forged = world.shake(tls13);  // a forged one is as good as a real one
    const World::Question first{.session = tls13 ? 7u : 8u};
    world.remember(recorded);
    world.remember(forged, kLane + 1);
    CHECK(world.prove(recorded, first) == "");
    now_ns += 59'000'000'000;
    auto signing = first;
    signing.content = forged.transcript();
    if (tls13) {
      Bytes hash(forged.hash_size);
      REQUIRE(common::tls::sha2(signing.content, hash));
      signing.content = hash;
    }
    CHECK(world.use(signing) == "");
    CHECK(world.prove(forged, {.lane = kLane + 1}) == kMadeHere);
    CHECK(world.use({.lane = kLane + 1}) == kNone);
  }
}

TEST_CASE("another worker can't use a proof", "[keyd][presence]") {
  World world;
  const auto recorded = world.shake();
  world.remember(recorded);
  CHECK(world.prove(recorded, {.lane = kLane + 1}) == kUnknown);
  CHECK(world.prove(recorded) == "");
  CHECK(world.use({.lane = kLane + 1}) == kNone);
  CHECK(world.use() == "");
}

TEST_CASE("a proof ends with presence_window", "[keyd][presence]") {
  World world;
  const auto recorded = world.shake();
  world.remember(recorded);
  now_ns += 59'999'999'999;
  CHECK(world.prove(recorded) == "");
  CHECK(world.use() == "");
  now_ns += 1;
  CHECK(world.prove(recorded) == kUnknown);
  CHECK(world.use() == kNone);
}

TEST_CASE("a device's signature of another key, scheme or handshake proves nothing", "[keyd][presence]") {
  World world;
  const auto other = witness::issue({.names = ""}, &world.root);
  for (const bool tls13 : {true, false}) {
    auto recorded = world.shake(tls13);
    const auto later = world.shake(tls13);
    world.remember(recorded);
    CHECK(world.prove(recorded, {.key = &other}) == kWrong);
    const auto right = recorded.client_signature;
    recorded.client_signature = later.client_signature;
    CHECK(world.prove(recorded) == kWrong);
    recorded.client_signature = right;
    recorded.client_signature.back() ^= 1;
    CHECK(world.prove(recorded) == kWrong);
    recorded.client_signature = right;
    const World::Question own{.session = tls13 ? 7u : 8u};
    CHECK(world.use(own) == kNone);
    CHECK(world.prove(recorded, own) == "");
    CHECK(world.use(own) == "");
  }
}

TEST_CASE("each byte of a proof's messages is covered", "[keyd][presence]") {
  World world;
  for (const bool tls13 : {true, false}) {
    const auto recorded = world.shake(tls13);
    const auto whole = recorded.transcript();
    world.remember(recorded);
    for (size_t at = 0; at < whole.size(); at += 7) {
      Bytes messages = whole;
      messages[at] ^= 1;
      CAPTURE(tls13, at);
      CHECK(world.prove(recorded, messages, {}) != "");
    }
    CHECK(world.prove(recorded, {.session = tls13 ? 1u : 2u}) == "");
  }
}

// A worker has any hash signed as listener, such as that of a handshake which the device made with someone else.
TEST_CASE("a handshake with another server proves nothing, even if the listener's key has signed its hash",
          "[keyd][presence]") {
  World world;
  const auto stranger = witness::issue({}, &world.root);
  for (const bool tls13 : {true, false}) {
    CAPTURE(tls13);
    const auto with_stranger = witness::handshake(
        {.tls13 = tls13, .server = {stranger}, .client = {world.device}, .mark = world.handshakes.mark()});
    const Listened theirs(with_stranger);
    const auto key = world.key_of(world.listener);
    ipc::Sign sign;
    sign.kind = tls13 ? ipc::Kind::tls13_server : ipc::Kind::tls12_server;
    sign.scheme = ipc::Scheme::ecdsa_sha256;
    sign.content = theirs.content;
    SignatureBuffer made;
    const auto size = world.signer.sign(*key, sign, made);
    REQUIRE(size);
    REQUIRE(world.handshakes.remember(kLane, sign.scheme, theirs.content, std::span(made).first(*size)));
    CHECK(world.prove(with_stranger) == kUnknown);
    // With keyd's signature in the stranger's place, the device has not signed the messages.
    auto forged = with_stranger;
    for (auto& message : forged.messages)
      if (message[0] == (tls13 ? 15 : 12)) {
        message.resize(message.size() - theirs.signature.size() - 2);
        message.insert(message.end(), {static_cast<uint8_t>(*size >> 8), static_cast<uint8_t>(*size)});
        message.insert(message.end(), made.begin(), made.begin() + static_cast<long>(*size));
        const size_t body = message.size() - 4;
        message[2] = static_cast<uint8_t>(body >> 8), message[3] = static_cast<uint8_t>(body);
        break;
      }
    CHECK(world.prove(forged) == kWrong);
  }
}

TEST_CASE("a proof that is no handshake is refused before any lookup", "[keyd][presence]") {
  World world;
  const auto with_types = [](std::initializer_list<int> types, uint8_t size = 40) {
    Bytes messages;
    for (const int type : types) {
      messages.insert(messages.end(), {static_cast<uint8_t>(type), 0, 0, size, 3, 0, 0x17, 1});
      messages.resize(messages.size() + size - 4);
    }
    return messages;
  };
  witness::Recorded tls13, tls12;
  tls13.hash_size = 32;
  tls13.client_scheme = tls12.client_scheme = 0x0403;
  const std::pair<Bytes, std::string> kNot13[] = {
      {{}, "the transcript does not begin with a ClientHello"},
      {with_types({2, 1, 11}), "the transcript does not begin with a ClientHello"},
      {with_types({1, 2, 8, 13, 11, 15, 20}), "the transcript does not end with a Certificate"},
      {with_types({1, 2, 11}, 33), "the proof has a malformed hello"},
      {with_types({1, 8, 11, 15, 11}), "the proof has no ServerHello"},
      {with_types({1, 2, 8, 13, 11}), "the proof has no server's CertificateVerify"},  // the only Certificate
      {with_types({1, 2, 8, 13, 11, 20, 11}), "the proof has no server's CertificateVerify"},
      {with_types({1, 2, 8, 13, 11, 15, 20, 11}), "the proof has a malformed server's signature"},
      {{1, 0, 0, 1}, "the transcript ends in the middle of a message"},
  };
  for (const auto& [messages, problem] : kNot13) CHECK(world.prove(tls13, messages, {}) == problem);
  const std::pair<Bytes, std::string> kNot12[] = {
      {with_types({254, 2, 1, 2, 11, 12, 16}), "the transcript does not begin with a ClientHello"},
      {with_types({1, 2, 11, 12, 13, 14, 11}), "the transcript does not end with a ClientKeyExchange"},
      {with_types({1, 2, 11, 12, 13, 14, 11, 16}), "the proof has a malformed server's signature"},
      {with_types({1, 2, 16}), "the proof has no ServerKeyExchange"},
      {with_types({1, 16}), "the proof has no ServerHello"},
  };
  for (const auto& [messages, problem] : kNot12) CHECK(world.prove(tls12, messages, {}) == problem);
  CHECK_FALSE(world.id);
}

TEST_CASE("another worker can't use a proof, even if it has the same signature made for itself", "[keyd][presence]") {
  World world;
  world.listener = witness::issue({.key = "ED25519"}, &world.root);
  const auto recorded = world.shake();
  world.remember(recorded);
  world.remember(recorded, kLane + 1);
  CHECK(world.prove(recorded, {.lane = kLane + 1}) == kUnknown);
  CHECK(world.prove(recorded) == "");
  now_ns += 59'000'000'000;
  world.remember(recorded, kLane + 1);
  CHECK(world.prove(recorded, {.lane = kLane + 1}) == kUnknown);
  CHECK(world.use() == "");
}

// Ed25519, and RSA with PKCS#1 v1.5, give the same signature for the same messages. So a worker could keep a device's
// handshake and have the listener's signature in it made again, at any time.
TEST_CASE("a listener's signature without randomness revives no proof", "[keyd][presence]") {
  World world;
  for (const std::string type : {"ED25519", "RSA:2048"}) {
    world.listener = witness::issue({.key = type}, &world.root);
    const bool tls13 = type == "ED25519";
    const auto recorded = witness::handshake({.tls13 = tls13,
                                              .server_schemes = tls13 ? "" : "RSA+SHA256:ECDSA+SHA256",
                                              .server = {world.listener},
                                              .client = {world.device},
                                              .mark = world.handshakes.mark()});
    world.remember(recorded);
    CHECK(world.prove(recorded) == "");
    for (int i = 0; i < 3; i++) CHECK(world.use() == "");
    world.remember(recorded);
    CHECK(world.prove(recorded) == "");
    CHECK(world.use() == kSpent);
    for (int step = 0; step < 30; step++) {
      now_ns += 2'000'000'000;
      world.handshakes.mark();
      world.remember(recorded);
      CHECK(world.prove(recorded) == (step < 29 ? "" : kNoMark));
      CHECK(world.use() == (step < 29 ? kSpent : kNone));
    }
  }
}

TEST_CASE("where the listener's signature has no randomness, a proof needs a mark of the last presence_window",
          "[keyd][presence]") {
  World world;
  const auto mark = world.handshakes.mark();
  CHECK(world.handshakes.mark() == mark);
  now_ns += 3'750'000'000;
  const auto next = world.handshakes.mark();
  CHECK(next != mark);
  for (const std::string type : {"ED25519", "RSA:2048", "P-256"})
    for (const bool tls13 : {true, false}) {
      world.listener = witness::issue({.key = type}, &world.root);
      const bool needed = type == "ED25519" || (type == "RSA:2048" && !tls13);
      for (const auto& given : {mark, next, ipc::Mark{}, ipc::Mark{1, 2, 3}}) {
        CAPTURE(type, tls13, given[0]);
        const auto recorded =
            witness::handshake({.tls13 = tls13,
                                .server_schemes = type == "RSA:2048" && !tls13 ? "RSA+SHA256:ECDSA+SHA256" : "",
                                .server = {world.listener},
                                .client = {world.device},
                                .mark = given});
        world.remember(recorded);
        CHECK(world.prove(recorded) == (needed && given != mark && given != next ? kNoMark : ""));
      }
    }
}

TEST_CASE("of one worker 131,072 signatures are remembered, of all four times as many, and none is made beyond",
          "[keyd][presence]") {
  World world;
  const auto recorded = world.shake(), others = world.shake(), late = world.shake();
  world.remember(recorded);
  Bytes content(32);
  size_t made = 0;
  const auto sign = [&](uint64_t lane) {
    memcpy(content.data(), &++made, sizeof made);
    return world.handshakes.remember(lane, ipc::Scheme::ecdsa_sha256, content, Bytes(70)).has_value();
  };
  while (sign(kLane)) continue;
  CHECK(made == RecentHandshakes::kMostOfLane);
  world.remember(others, kLane + 1);
  CHECK(world.prove(recorded) == "");
  CHECK(world.use() == "too many signatures within presence_window");
  CHECK(world.prove(others, {.lane = kLane + 1}) == "");
  for (const uint64_t lane : {100, 101, 102})
    while (sign(lane)) continue;
  CHECK_FALSE(sign(kLane + 1));
  now_ns += 60'000'000'000;
  for (const uint64_t lane : {kLane, kLane + 1}) CHECK(sign(lane));
  const auto later = world.shake();
  world.remember(later);
  CHECK(world.prove(later) == "");
}
