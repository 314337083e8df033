// Every refused TLS connection gets exactly one alert that names the cause (RFC 8446 section 6.2, RFC 5246 section
// 7.2).

#include <openssl/ssl.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/raw_tls.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

namespace alert {
constexpr int unexpected_message = 10, bad_record_mac = 20, record_overflow = 22, handshake_failure = 40,
              protocol_version = 70, internal_error = 80;
}

// Returns the listener's answer to these bytes, up to the end of the connection.
std::string answer_to(World& world, std::string_view bytes) {
  RawSocket socket(world.relay().endpoint());
  socket.send(bytes);
  return socket.receive_to_end();
}

}  // namespace

TEST_CASE("bytes that are not TLS get exactly one alert, which names the cause") {
  World world({.remote = RemoteKind::none, .local = false});
  const std::string hello_1_0 =
      record(record_type::handshake,
             std::string("\x01\0\0\x29\x03\x01", 6) + std::string(32, 'r') + std::string("\0\0\x02\xc0\x09\x01\0", 7));
  struct Case {
    const char* what;
    std::string bytes;
    int alert;
  };
  const Case cases[] = {
      {"MQTT without TLS", mqtt::connect({.client_id = "thermo"}), alert::unexpected_message},
      {"an HTTP request", "GET / HTTP/1.0\r\n\r\n", alert::unexpected_message},
      {"a record of a type that does not exist", record(99, "what"), alert::unexpected_message},
      {"application data before a handshake", record(record_type::application_data, "early"),
       alert::unexpected_message},
      {"a record that is too large", std::string("\x16\x03\x01\xff\xff", 5) + std::string(100, 'x'),
       alert::record_overflow},
      {"a handshake that does not begin with a ClientHello",
       record(record_type::handshake, std::string("\x14\0\0\0", 4)), alert::unexpected_message},
      {"TLS 1.0 alone", hello_1_0, alert::protocol_version},
  };
  for (const auto& one : cases) {
    CAPTURE(one.what);
    auto answer = answer_to(world, one.bytes);
    const auto records = take_records(answer);
    REQUIRE(records.size() == 1);
    CHECK(records[0].type == record_type::alert);
    CHECK(records[0].body == std::string{'\x02', static_cast<char>(one.alert)});
    CHECK(answer.empty());
  }
}

TEST_CASE("a device with only unsupported algorithms gets handshake_failure, and the log lists what it offers") {
  World world({.remote = RemoteKind::none, .local = false});
  struct Case {
    const char *suites, *groups, *schemes;
    std::string words;
  };
  const std::string kNone = "has no cipher suite, key exchange or signature scheme in common with this side";
  const Case cases[] = {
      {"ECDHE-ECDSA-AES128-SHA256", "P-256", "ECDSA+SHA256",
       "update its TLS; it offers the cipher suites C023, the groups P-256, the signature schemes 0403"},
      {"ECDHE-ECDSA-AES128-GCM-SHA256", "X448", "ECDSA+SHA256", "the cipher suites C02B, the groups X448"},
      {"ECDHE-ECDSA-AES128-GCM-SHA256", "P-256", "ed25519", "the groups P-256, the signature schemes 0807"}};
  const auto identity = device_identity("p256", 1);
  for (const auto& [suites, groups, schemes, words] : cases) {
    INFO(words);
    auto context = TlsContext::client(&identity, authorities().root, TlsVersion::v1_2);
    SSL_CTX_set_security_level(context.get(), 0);
    REQUIRE(SSL_CTX_set_cipher_list(context.get(), suites) == 1);
    REQUIRE(SSL_CTX_set1_groups_list(context.get(), groups) == 1);
    REQUIRE(SSL_CTX_set1_sigalgs_list(context.get(), schemes) == 1);
    const auto mark = world.relay().log().mark();
    auto stream = TlsStream::open(world.relay().endpoint(), context);
    const auto ending = stream.refused_handshake();
    CHECK(ending.how == Ending::alert);
    CHECK(ending.alert_code == alert::handshake_failure);
    CHECK(world.relay().log().wait_text(kNone, mark).find(words) != std::string::npos);
  }
}

TEST_CASE("when a device refuses the listener's choice, the log lists what the device offers") {
  World world({.remote = RemoteKind::none, .local = false});
  const auto identity = device_identity("p256", 1);
  auto context = TlsContext::client(&identity, authorities().root, TlsVersion::v1_2);
  REQUIRE(SSL_CTX_set1_groups_list(context.get(), "P-521") == 1);  // the listener's certificate needs P-256
  REQUIRE_THROWS(TlsStream::connect(world.relay().endpoint(), context));
  const std::string words = "sent the TLS alert illegal_parameter (47); it offers the cipher suites ";
  CHECK(world.relay().log().wait_text(words).find(", the groups P-521, ") != std::string::npos);
}

TEST_CASE("a device that exceeds handshake_timeout gets an alert") {
  World world({.relayd = {{"listener", {{"handshake_timeout", "200ms"}}}}, .remote = RemoteKind::none, .local = false});
  RawSocket socket(world.relay().endpoint());
  socket.send("\x16\x03\x01");
  CHECK(socket.receive_to_end() == fatal_alert(alert::handshake_failure));
}

TEST_CASE("a device gets internal_error if keyd does not sign") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  World world({.remote = RemoteKind::none, .local = false});
  world.relay().keyd().kill();
  const auto identity = device_identity("p256", 1);
  auto stream = TlsStream::open(world.relay().endpoint(), TlsContext::client(&identity, authorities().root, version));
  const auto ending = stream.refused_handshake();
  CHECK(ending.how == Ending::alert);
  CHECK(ending.alert_code == alert::internal_error);
}

TEST_CASE("a remote broker gets internal_error if keyd does not sign for the device") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  World world({.remote = RemoteKind::captured, .local = false, .remote_version = version});
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  auto device = world.device(identity);
  device.tls().send(mqtt::connect({.client_id = "thermo"}));
  auto remote = world.captured->accept_silently();  // keyd has looked up the key, but has not been asked to sign
  world.relay().keyd().kill();
  const auto ending = remote.refused_handshake();
  CHECK(ending.how == Ending::alert);
  CHECK(ending.alert_code == alert::internal_error);
  CHECK(device.tls().read_packet().bytes == std::string("\x20\x02\x00\x03", 4));
}

TEST_CASE("a device's record altered in transit ends the session with bad_record_mac, not like a normal close") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  World world({.remote = RemoteKind::none, .local = false});
  const auto identity = device_identity("p256", 1);
  auto device =
      RawTls::client(RawSocket(world.relay().endpoint()), TlsContext::client(&identity, authorities().root, version));
  device.handshake();
  auto packet = device.encrypt(mqtt::connect({.client_id = "thermo"}));
  packet.back() = static_cast<char>(packet.back() ^ 1);
  device.socket().send(packet);
  CHECK(device.alert() == alert::bad_record_mac);
}

TEST_CASE("a device with no common cipher suite or group gets handshake_failure, and the log says what it offers") {
  World world({.remote = RemoteKind::none, .local = false});
  const auto identity = device_identity("p256", 1);
  const auto context = TlsContext::client(&identity, authorities().root, TlsVersion::v1_2);
  SSL_CTX_set_cipher_list(context.get(), "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA");
  SSL_CTX_set1_groups_list(context.get(), "P-256:secp256k1");
  auto stream = TlsStream::open(world.relay().endpoint(), context);
  CHECK(stream.refused_handshake().alert_code == alert::handshake_failure);
  world.relay().log().wait_text("it offers the cipher suites C023 C00A, the groups P-256 secp256k1");
}

TEST_CASE("a device may offer more than 150 cipher suites") {
  World world({.remote = RemoteKind::none, .local = false});
  const auto identity = device_identity("p256", 1);
  auto device = RawTls::client(RawSocket(world.relay().endpoint()),
                               TlsContext::client(&identity, authorities().root, TlsVersion::v1_2));
  auto hello = device.step();
  const auto add_at = [&](size_t at, size_t more) {
    const size_t sum = static_cast<uint8_t>(hello.at(at)) * 256u + static_cast<uint8_t>(hello.at(at + 1)) + more;
    hello[at] = static_cast<char>(sum >> 8);
    hello[at + 1] = static_cast<char>(sum);
  };
  // RFC 5246 section 7.4.1.2: record and message headers, version, random, session id, suites.
  const size_t session_id = 5 + 4 + 2 + 32, suites = session_id + 1 + static_cast<uint8_t>(hello.at(session_id));
  std::string more;
  for (int i = 0; i < 200; i++) more += {'\x5a', static_cast<char>(i)};
  for (const size_t length : {size_t{3}, size_t{7}, suites}) add_at(length, more.size());
  hello.insert(suites + 2, more);
  device.socket().send(hello);
  auto answer = device.socket().receive();
  CHECK(static_cast<uint8_t>(answer.at(0)) == record_type::handshake);
}
