// No TLS session is ever resumed, on either leg: each connection makes a full handshake, in which the device's
// certificate is asked for and its key is proved. The peers are OpenSSL's, which offer and grant resumption.

#include <openssl/ssl.h>

#include <memory>
#include <set>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/raw_tls.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

constexpr unsigned kSessionTicket = 35, kPreSharedKey = 41;  // RFC 5077, RFC 8446 section 4.2.11

using Session = std::shared_ptr<SSL_SESSION>;
Session owned(SSL_SESSION* session) { return {session, SSL_SESSION_free}; }

std::string id_of(const Session& session) {
  unsigned size = 0;
  const auto* id = SSL_SESSION_get_id(session.get(), &size);
  return {reinterpret_cast<const char*>(id), size};
}

// What a ClientHello offers for a resumption.
struct Offer {
  std::string id;
  std::set<unsigned> extensions;
};

// `hello`: the message, without the record's header (RFC 8446 section 4.1.2).
Offer offer_in(const std::string& hello) {
  size_t at = 4 + 2 + 32;
  const auto take = [&](size_t size) {
    unsigned value = 0;
    for (; size > 0; size--) value = value << 8 | static_cast<uint8_t>(hello.at(at++));
    return value;
  };
  Offer offer;
  offer.id.resize(take(1));
  for (auto& byte : offer.id) byte = static_cast<char>(take(1));
  const size_t suites = take(2);
  at += suites;
  const size_t compressions = take(1);
  at += compressions;
  take(2);  // the extensions' size
  while (at < hello.size()) {
    offer.extensions.insert(take(2));
    const size_t size = take(2);
    at += size;
  }
  return offer;
}

// One end of a connection, and the handshake messages that it sent and received.
struct End {
  struct Messages {
    std::string hello;  // the first ClientHello
    std::set<int> types;
  };

  explicit End(RawTls one) : tls(std::move(one)) {
    SSL_set_msg_callback(tls.get(),
                         [](int, int, int content_type, const void* bytes, size_t size, SSL*, void* argument) {
                           if (content_type != SSL3_RT_HANDSHAKE || size == 0) return;
                           auto& messages = *static_cast<Messages*>(argument);
                           const std::string message(static_cast<const char*>(bytes), size);
                           messages.types.insert(message[0]);
                           if (message[0] == SSL3_MT_CLIENT_HELLO && messages.hello.empty()) messages.hello = message;
                         });
    SSL_set_msg_callback_arg(tls.get(), seen.get());
  }
  bool resumed() { return SSL_session_reused(tls.get()) == 1; }
  // The certificate of the client was asked for, and the client has proved its key.
  bool authenticated() const {
    return seen->types.contains(SSL3_MT_CERTIFICATE_REQUEST) && seen->types.contains(SSL3_MT_CERTIFICATE_VERIFY);
  }
  Offer offer() const { return offer_in(seen->hello); }
  // A copy, because OpenSSL gives up the session of a connection that ends without close_notify.
  Session session() { return owned(SSL_SESSION_dup(SSL_get0_session(tls.get()))); }

  RawTls tls;
  std::unique_ptr<Messages> seen = std::make_unique<Messages>();
};

// Offers `session`. If its server gave neither an id nor a ticket, the client makes one up.
void offer(End& client, Session session, TlsVersion version) {
  static constexpr unsigned char kId[32] = {'m', 'a', 'd', 'e', ' ', 'u', 'p'};
  if (SSL_SESSION_is_resumable(session.get()) != 1 && version == TlsVersion::v1_2) {
    session = owned(SSL_SESSION_dup(session.get()));
    REQUIRE(SSL_SESSION_set1_id(session.get(), kId, sizeof kId) == 1);
  }
  if (SSL_SESSION_is_resumable(session.get()) == 1) {
    REQUIRE(SSL_set_session(client.tls.get(), session.get()) == 1);
    return;
  }
  SSL_set_psk_use_session_callback(
      client.tls.get(), [](SSL* ssl, const EVP_MD*, const unsigned char** id, size_t* size, SSL_SESSION** made) {
        static constexpr unsigned char kAes128GcmSha256[] = {0x13, 0x01};
        *made = SSL_SESSION_new();
        *id = kId;
        *size = sizeof kId;
        return static_cast<int>(SSL_SESSION_set1_master_key(*made, kId, sizeof kId) == 1 &&
                                SSL_SESSION_set_cipher(*made, SSL_CIPHER_find(ssl, kAes128GcmSha256)) == 1 &&
                                SSL_SESSION_set_protocol_version(*made, TLS1_3_VERSION) == 1);
      });
}

// Resumes by session id and by ticket, as OpenSSL does by default.
void grant_resumption(const TlsContext& server) {
  SSL_CTX_set_session_cache_mode(server.get(), SSL_SESS_CACHE_SERVER);
  SSL_CTX_set_num_tickets(server.get(), 2);
  REQUIRE(SSL_CTX_set_session_id_context(server.get(), reinterpret_cast<const unsigned char*>("test"), 4) == 1);
}

// The client of a handshake between two OpenSSLs, in memory.
End client_of_handshake(const TlsContext& client_context, const TlsContext& server_context, TlsVersion version,
                        const Session& offered = {}) {
  End client(RawTls::client(RawSocket(-1), client_context));
  auto server = RawTls::server(RawSocket(-1), server_context);
  if (offered) offer(client, offered, version);
  for (int flight = 0; flight < 5; flight++) {
    server.feed(client.tls.step());
    client.tls.feed(server.step());
  }
  client.tls.feed(server.encrypt("x"));
  CHECK(client.tls.read(1) == "x");  // sent after the server's tickets
  return client;
}

// Positive control of both tests: between these contexts a session is resumed, and no certificate asked for.
void check_is_resumed(const TlsContext& client, const TlsContext& server, TlsVersion version) {
  auto first = client_of_handshake(client, server, version);
  CHECK_FALSE(first.resumed());
  CHECK(first.authenticated());
  auto second = client_of_handshake(client, server, version, first.session());
  CHECK(second.resumed());
  CHECK_FALSE(second.authenticated());
}

}  // namespace

TEST_CASE("a device that offers a TLS session, by id or ticket, makes a full handshake and proves its key again") {
  const TlsVersion version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  CAPTURE(version == TlsVersion::v1_3);
  World world({.remote = RemoteKind::none, .local = false});
  const auto identity = device_identity("p256", 1);
  const auto context = TlsContext::client(&identity, authorities().root, version);
  Session session;
  for (const bool offers : {false, true}) {
    CAPTURE(offers);
    End device(RawTls::client(RawSocket(world.relay().endpoint()), context));
    if (offers) offer(device, session, version);
    device.tls.handshake();
    device.tls.socket().send(device.tls.encrypt(mqtt::connect({.client_id = "thermo"})));
    CHECK(device.tls.read(connack_accepted.size()) == connack_accepted);
    const Offer offered = device.offer();
    CHECK((version == TlsVersion::v1_2 ? !offered.id.empty() : offered.extensions.contains(kPreSharedKey)) == offers);
    CHECK_FALSE(device.resumed());
    CHECK(device.authenticated());
    CHECK_FALSE(device.seen->types.contains(SSL3_MT_NEWSESSION_TICKET));
    session = device.session();
  }
  const auto server =
      TlsContext::server(server_identity("control", "p256", world.directory.path()), authorities().root, version);
  grant_resumption(server);
  check_is_resumed(context, server, version);
}

TEST_CASE("no TLS session with the remote is resumed, though it gives ids and tickets: each device proves its key") {
  const TlsVersion version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  CAPTURE(version == TlsVersion::v1_3);
  World world({.remote = RemoteKind::captured, .local = false, .remote_version = version});
  const auto& context = world.captured->context();
  grant_resumption(context);
  const auto identity = device_identity("p256", 1);
  std::set<std::string> given;
  for (const std::string id : {"thermo", "thermo", "hygro"}) {
    CAPTURE(id);
    world.give_key(id, identity);
    auto device = world.device(identity);
    device.tls().send(mqtt::connect({.client_id = id}));
    End remote(RawTls::server(RawSocket(world.captured->accept_socket()), context));
    remote.tls.handshake();
    remote.tls.read(1);  // of the CONNECT
    remote.tls.socket().send(remote.tls.encrypt(connack_accepted));
    CHECK(mqtt::connack_code(device.tls().read_packet()) == 0);
    const Offer offered = remote.offer();
    CHECK_FALSE(given.contains(offered.id));
    CHECK_FALSE(offered.extensions.contains(kSessionTicket));
    CHECK_FALSE(offered.extensions.contains(kPreSharedKey));
    CHECK_FALSE(remote.resumed());
    CHECK(remote.authenticated());
    CHECK(SSL_SESSION_is_resumable(remote.session().get()) == 1);
    given.insert(id_of(remote.session()));
  }
  check_is_resumed(TlsContext::client(&identity, authorities().root, version), context, version);
}
