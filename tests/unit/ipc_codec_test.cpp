// The keyd protocol's codec: it reads back what it writes, and reads nothing else.
#include "ipc/codec.h"

#include <limits>
#include <random>
#include <string>
#include <vector>

#include "catch.h"

using namespace ipc;

namespace {

using Datagram = std::vector<uint8_t>;

Datagram encoded(const Request& request) {
  RequestBuffer buffer;
  const size_t size = encode(request, buffer);
  return {buffer.begin(), buffer.begin() + static_cast<long>(size)};
}

Datagram encoded(const Response& response) {
  ResponseBuffer buffer;
  const size_t size = encode(response, buffer);
  return {buffer.begin(), buffer.begin() + static_cast<long>(size)};
}

Lookup some_lookup(std::string_view id) {
  Lookup lookup;
  lookup.role = Role::listener;
  for (size_t i = 0; i < lookup.spki.size(); i++) lookup.spki[i] = static_cast<uint8_t>(i);
  lookup.origin.session = 0x0102030405060708;
  lookup.origin.device_ip = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  lookup.origin.device_port = 0xabcd;
  lookup.client_id = id;
  return lookup;
}

bool same(const Lookup& a, const Lookup& b) {
  return a.role == b.role && a.spki == b.spki && a.origin.session == b.origin.session &&
         a.origin.device_ip == b.origin.device_ip && a.origin.device_port == b.origin.device_port &&
         a.client_id == b.client_id;
}

const std::vector<uint8_t> kContent(48, 0x5a);

Request some_sign(Kind kind, Scheme scheme, std::span<const uint8_t> content) {
  return {7, Sign{some_lookup("device"), kind, scheme, content}};
}

const std::vector<uint8_t> kSignature(72, 0x30), kMessages(100, 0x01);

Request some_proof(Presence presence = Presence::tls13_sha384) {
  Lookup lookup = some_lookup("device");
  lookup.proof = {presence, Scheme::rsa_pss_rsae_sha256, kSignature, kMessages};
  return {7, lookup};
}

std::vector<Request> one_of_each() {
  return {{1, Hello{1, 2}},
          {2, some_lookup("device")},
          some_sign(Kind::tls13_client, Scheme::ecdsa_sha256, kContent),
          some_proof(),
          {3, std::monostate{}}};
}

}  // namespace

TEST_CASE("requests have the documented layout", "[ipc][codec]") {
  CHECK(encoded(Request{0x01020304, Hello{0x0506, 0x0708, 0x090a0b0c, 0x0d0e0f1011121314}}) ==
        Datagram{1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20});
  CHECK(encoded(Request{9, std::monostate{}}) == Datagram{4, 0, 0, 0, 0, 9});
  const Datagram sign = encoded(some_sign(Kind::tls12_server, Scheme::rsa_pss_rsae_sha384, kContent));
  REQUIRE(sign.size() == 6 + 1 + 32 + 8 + 16 + 2 + 1 + 6 + 1 + 2 + 2 + 48);
  CHECK(sign[0] == 3);
  CHECK(sign[6] == 1);                                                                        // role
  CHECK(sign[7 + 31] == 31);                                                                  // SPKI
  CHECK(Datagram(sign.begin() + 39, sign.begin() + 47) == Datagram{1, 2, 3, 4, 5, 6, 7, 8});  // session
  CHECK(Datagram(sign.begin() + 63, sign.begin() + 66) == Datagram{0xab, 0xcd, 6});           // port, length of the id
  CHECK(Datagram(sign.begin() + 72, sign.begin() + 77) == Datagram{3, 8, 5, 0, 48});          // kind, scheme, length
  const Datagram lookup = encoded(Request{7, some_lookup("device")});
  REQUIRE(lookup.size() == 6 + 1 + 32 + 8 + 16 + 2 + 1 + 6 + 2 + 1);
  CHECK(lookup[0] == 2);
  CHECK(std::equal(lookup.begin() + 6, lookup.begin() + 72, sign.begin() + 6));
  CHECK(Datagram(lookup.begin() + 72, lookup.end()) == Datagram{0, 0, 0});  // no spellings, no proof
  const Datagram proof = encoded(some_proof());
  REQUIRE(proof.size() == lookup.size() + 2 + 2 + 72 + 2 + 100);
  CHECK(Datagram(proof.begin() + 74, proof.begin() + 79) == Datagram{3, 8, 4, 0, 72});  // presence, scheme, length
  CHECK(Datagram(proof.begin() + 151, proof.begin() + 154) == Datagram{0, 100, 1});     // length, messages
}

TEST_CASE("responses have the documented layout", "[ipc][codec]") {
  const Datagram payload{0xaa, 0xbb};
  CHECK(encoded(Response{0x01020304, Status::busy, 0x05060708, payload}) ==
        Datagram{5, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 2, 0xaa, 0xbb});
}

TEST_CASE("every request survives the round trip", "[ipc][codec]") {
  for (const uint32_t id : {0u, 1u, std::numeric_limits<uint32_t>::max()}) {
    const Datagram hello = encoded(Request{id, Hello{65535, 12, 700}});
    const auto back = decode_request(hello);
    REQUIRE(back);
    CHECK(back->id == id);
    CHECK(back->op() == Op::hello);
    CHECK(std::get<Hello>(back->body).version == 65535);
    CHECK(std::get<Hello>(back->body).worker == 12);
    CHECK(std::get<Hello>(back->body).timeout_ms == 700);
  }
  const std::string any = std::string("a\0/../\xff", 7) + std::string(244, 'x');
  for (const std::string& id : {std::string(), std::string("d"), any}) {
    const Datagram datagram = encoded(Request{3, some_lookup(id)});
    const auto back = decode_request(datagram);
    REQUIRE(back);
    CHECK(same(std::get<Lookup>(back->body), some_lookup(id)));
  }
  const std::string longest(kMaxSpellings, '/');
  for (const std::string_view spellings : {std::string_view("dev7/DEV7/"), std::string_view(longest)}) {
    Lookup lookup = some_lookup(any);
    lookup.spellings = spellings;
    const Datagram datagram = encoded(Request{3, lookup});
    CHECK((!datagram.empty() && datagram.size() <= kMaxRequest));
    CHECK(std::get<Lookup>(decode_request(datagram)->body).spellings == spellings);
  }
  for (const Presence presence : {Presence::tls12, Presence::tls13_sha256, Presence::tls13_sha384}) {
    const Datagram datagram = encoded(some_proof(presence));
    const auto back = decode_request(datagram);
    REQUIRE(back);
    const Proof& proof = std::get<Lookup>(back->body).proof;
    CHECK((proof.presence == presence && proof.scheme == Scheme::rsa_pss_rsae_sha256));
    CHECK(Datagram(proof.signature.begin(), proof.signature.end()) == kSignature);
    CHECK(Datagram(proof.messages.begin(), proof.messages.end()) == kMessages);
  }
  for (const Kind kind : {Kind::tls13_server, Kind::tls13_client, Kind::tls12_server, Kind::tls12_client})
    for (const Scheme scheme :
         {Scheme::rsa_pkcs1_sha256, Scheme::rsa_pkcs1_sha384, Scheme::rsa_pkcs1_sha512, Scheme::ecdsa_sha256,
          Scheme::ecdsa_sha384, Scheme::ecdsa_sha512, Scheme::rsa_pss_rsae_sha256, Scheme::rsa_pss_rsae_sha384,
          Scheme::rsa_pss_rsae_sha512, Scheme::ed25519})
      for (const size_t size : {size_t{0}, size_t{32}, kMaxContent}) {
        const std::vector<uint8_t> content(size, 0x42);
        const Datagram datagram = encoded(some_sign(kind, scheme, content));
        const auto back = decode_request(datagram);
        REQUIRE(back);
        const auto& sign = std::get<Sign>(back->body);
        CHECK((sign.kind == kind && sign.scheme == scheme && same(sign.key, some_lookup("device"))));
        CHECK(Datagram(sign.content.begin(), sign.content.end()) == content);
      }
  CHECK(decode_request(encoded(Request{1, std::monostate{}}))->op() == Op::stats);
}

TEST_CASE("every response survives the round trip", "[ipc][codec]") {
  for (const Status status : {Status::ok, Status::not_found, Status::mismatch, Status::unusable, Status::denied,
                              Status::busy, Status::malformed, Status::internal, Status::superseded})
    for (const size_t size : {size_t{0}, size_t{72}, kMaxSignature}) {
      const std::vector<uint8_t> payload(size, 0x17);
      const Datagram datagram = encoded(Response{5, status, 250, payload});
      const auto back = decode_response(datagram);
      REQUIRE(back);
      CHECK((back->id == 5 && back->status == status && back->retry_after_ms == 250));
      CHECK(Datagram(back->payload.begin(), back->payload.end()) == payload);
    }
}

TEST_CASE("only a client that shows its handshake may send a whole transcript", "[ipc][codec]") {
  const std::vector<uint8_t> most(kMaxTranscript, 1), too_much(kMaxTranscript + 1, 1), hash(kMaxContent + 1, 1);
  for (const Kind kind : {Kind::tls12_client, Kind::tls13_client_bound}) {
    const Datagram datagram = encoded(some_sign(kind, Scheme::ecdsa_sha256, most));
    REQUIRE(decode_request(datagram));
    CHECK(encoded(some_sign(kind, Scheme::ecdsa_sha256, too_much)).empty());
    // The same, forged: the long message under another kind.
    for (const Kind other : {Kind::tls13_client, Kind::tls13_server, Kind::tls12_server}) {
      Datagram forged = datagram;
      forged[6 + 60 + 6] = static_cast<uint8_t>(other);
      CHECK_FALSE(decode_request(forged));
    }
  }
  for (const Kind kind : {Kind::tls13_client, Kind::tls13_server, Kind::tls12_server})
    CHECK(encoded(some_sign(kind, Scheme::ed25519, hash)).empty());
}

TEST_CASE("the longest request and the longest proof fit into one datagram, and nothing longer is encoded",
          "[ipc][codec]") {
  const std::string id(kMaxClientId, 'x'), spellings(kMaxSpellings, '/');
  const std::vector<uint8_t> messages(kMaxTranscript + 1, 1), signature(kMaxSignature + 1, 1);
  const auto with = [&](size_t signature_size, size_t messages_size) {
    Lookup lookup = some_lookup(id);
    lookup.spellings = spellings;
    lookup.proof = {Presence::tls12, Scheme::ed25519, std::span(signature).first(signature_size),
                    std::span(messages).first(messages_size)};
    return encoded(Request{7, lookup});
  };
  const Datagram most = with(kMaxSignature, kMaxTranscript);
  REQUIRE((!most.empty() && most.size() <= kMaxRequest));
  CHECK(decode_request(most));
  CHECK(with(kMaxSignature + 1, kMaxTranscript).empty());
  CHECK(with(kMaxSignature, kMaxTranscript + 1).empty());
  const Datagram sign = encoded(Request{
      7, Sign{some_lookup(id), Kind::tls12_client, Scheme::ed25519, std::span(messages).first(kMaxTranscript)}});
  REQUIRE((!sign.empty() && sign.size() <= kMaxRequest));
  CHECK(decode_request(sign));
}

TEST_CASE("a message that does not fit is not encoded", "[ipc][codec]") {
  const std::string id(kMaxClientId + 1, 'x');
  CHECK(encoded(Request{1, some_lookup(id)}).empty());
  const std::string spellings(kMaxSpellings + 1, 'x');
  Lookup lookup = some_lookup("x");
  lookup.spellings = spellings;
  CHECK(encoded(Request{1, lookup}).empty());
  const std::vector<uint8_t> payload(kMaxSignature + 1);
  CHECK(encoded(Response{1, Status::ok, 0, payload}).empty());
}

TEST_CASE("a datagram that is too short or too long is refused", "[ipc][codec]") {
  for (const Request& request : one_of_each()) {
    const Datagram right = encoded(request);
    REQUIRE(decode_request(right));
    for (size_t size = 0; size < right.size(); size++) CHECK_FALSE(decode_request(std::span(right).first(size)));
    Datagram longer = right;
    longer.push_back(0);
    CHECK_FALSE(decode_request(longer));
  }
  const Datagram right = encoded(Response{1, Status::ok, 0, kContent});
  for (size_t size = 0; size < right.size(); size++) CHECK_FALSE(decode_response(std::span(right).first(size)));
  Datagram longer = right;
  longer.push_back(0);
  CHECK_FALSE(decode_response(longer));
}

TEST_CASE("unknown values and reserved bytes are refused", "[ipc][codec]") {
  const Datagram right = encoded(some_sign(Kind::tls13_client, Scheme::ecdsa_sha256, kContent));
  const size_t role = 6, kind = 6 + 60 + 6, scheme = kind + 1;
  const auto with = [&](size_t at, int value) {
    Datagram changed = right;
    changed[at] = static_cast<uint8_t>(value);
    return changed;
  };
  for (int value = 0; value < 256; value++) {
    INFO(value);
    if (value != 3) CHECK_FALSE(decode_request(with(0, value)));
    if (value != 0) CHECK_FALSE(decode_request(with(1, value)));
    CHECK(decode_request(with(role, value)).has_value() == (value >= 1 && value <= 3));
    CHECK(decode_request(with(kind, value)).has_value() == (value >= 1 && value <= 5));
    CHECK(decode_request(with(scheme, value)).has_value() == (value == 4 || value == 5 || value == 6));
    Datagram lookup = encoded(Request{7, some_lookup("device")});
    lookup.back() = static_cast<uint8_t>(value);
    CHECK(decode_request(lookup).has_value() == (value == 0));  // a proof that is not there
    Datagram proof = encoded(some_proof());
    proof[74] = static_cast<uint8_t>(value);
    CHECK(decode_request(proof).has_value() == (value >= 1 && value <= 3));
  }
  Datagram proof = encoded(some_proof());
  proof[75] = 9;  // an unknown scheme
  CHECK_FALSE(decode_request(proof));
  Datagram response = encoded(Response{1, Status::ok, 0, {}});
  response[0] = 9;
  CHECK_FALSE(decode_response(response));
  response[0] = 0, response[1] = 1;
  CHECK_FALSE(decode_response(response));
}

TEST_CASE("lengths inside a datagram must add up", "[ipc][codec]") {
  const Datagram right = encoded(some_sign(Kind::tls13_client, Scheme::ecdsa_sha256, kContent));
  const size_t id_length = 6 + 59, content_length = 6 + 60 + 6 + 3;
  for (const size_t at : {id_length, content_length, content_length + 1})
    for (int value = 0; value < 256; value++) {
      if (right[at] == value) continue;
      Datagram changed = right;
      changed[at] = static_cast<uint8_t>(value);
      CHECK_FALSE(decode_request(changed));
    }
}

TEST_CASE("random bytes are refused or read within their bounds", "[ipc][codec]") {
  std::mt19937 random(1);  // the same run every time
  for (int round = 0; round < 20'000; round++) {
    Datagram datagram(random() % 200);
    for (auto& byte : datagram) byte = static_cast<uint8_t>(random());
    if (!datagram.empty()) datagram[0] = static_cast<uint8_t>(random() % 6);
    if (datagram.size() > 1) datagram[1] = 0;
    if (const auto request = decode_request(datagram)) CHECK(encoded(*request) == datagram);
    if (const auto response = decode_response(datagram)) CHECK(encoded(*response) == datagram);
  }
}

TEST_CASE("the payloads of HELLO and STATS survive the round trip", "[ipc][codec]") {
  for (const bool bind_remote : {false, true})
    for (const bool require_presence : {false, true}) {
      const auto welcome =
          decode_welcome(encode_welcome({0x1234, bind_remote, require_presence, {1, 2, 3, 4, 5, 6, 7, 8}}));
      REQUIRE(welcome);
      CHECK(welcome->version == 0x1234);
      CHECK(welcome->bind_remote == bind_remote);
      CHECK(welcome->require_presence == require_presence);
      CHECK(welcome->mark == Mark{1, 2, 3, 4, 5, 6, 7, 8});
    }
  Datagram right(kWelcomeSize);
  CHECK(decode_welcome(right));
  CHECK_FALSE(decode_welcome(std::span(right).first(right.size() - 1)));
  for (const size_t at : {size_t{2}, size_t{3}}) {
    Datagram wrong = right;
    wrong[at] = 3;
    CHECK_FALSE(decode_welcome(wrong));
  }
  right.push_back(0);
  CHECK_FALSE(decode_welcome(right));
  for (const bool degraded : {false, true}) {
    const auto payload =
        encode_counters({1, 2, 3, std::numeric_limits<uint64_t>::max(), 5, degraded, !degraded, {8, 7, 6}});
    const auto counters = decode_counters(payload);
    REQUIRE(counters);
    CHECK((counters->lookups == 1 && counters->signatures == 2 && counters->refusals == 3));
    CHECK(counters->cached_keys == std::numeric_limits<uint64_t>::max());
    CHECK(counters->given_up == 5);
    CHECK(counters->degraded == degraded);
    CHECK(counters->notary_away == !degraded);
    CHECK(counters->mark == Mark{8, 7, 6});
  }
  auto payload = encode_counters({});
  payload[kCountersSize - 9] = 2;  // a flag
  CHECK_FALSE(decode_counters(payload));
  CHECK_FALSE(decode_counters(std::span(payload).first(kCountersSize - 1)));
}

TEST_CASE("a client id that can't be a file's name has no key", "[ipc][codec]") {
  using namespace std::string_literals;
  for (const auto& id : {"device"s, "a b"s, "..."s, ".hidden"s, "-rf"s, "äöü"s, "\xff\xfe"s, "a\\b"s, "~"s,
                         std::string(kMaxClientId, 'x')})
    CHECK(can_name_a_key(id));
  for (const auto& id : {""s, "."s, ".."s, "/"s, "a/b"s, "../x"s, "a\0b"s, "\0"s, "a\n"s, "\x1f"s, "\x7f"s, "\t"s,
                         std::string(kMaxClientId + 1, 'x'), std::string(65535, 'x')})
    CHECK_FALSE(can_name_a_key(id));
}
