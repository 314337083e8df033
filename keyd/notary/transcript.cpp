#include "keyd/notary/transcript.h"

#include <algorithm>

namespace keyd {
namespace {

constexpr uint16_t kTls12 = 0x0303, kTls13 = 0x0304;

// Reads big-endian fields from the front. After the first missing field, every read fails.
class Reader {
 public:
  explicit Reader(Bytes bytes) : rest_(bytes) {}

  size_t integer(size_t width) {
    size_t value = 0;
    for (const uint8_t byte : take(width)) value = value << 8 | byte;
    return value;
  }
  Bytes take(size_t size) {
    if (size > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const Bytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  Bytes vector(size_t length_width) { return take(integer(length_width)); }

  bool empty() const { return rest_.empty(); }
  bool done() const { return !failed_ && rest_.empty(); }
  Bytes rest() const { return rest_; }

 private:
  Bytes rest_;
  bool failed_ = false;
};

struct Message {
  uint8_t type;
  const char *misplaced, *malformed;
};
#define MESSAGE(type, name) \
  { type, "the transcript has no " name " where it belongs", "malformed " name }
constexpr Message kClientHello = MESSAGE(1, "ClientHello");
constexpr Message kServerHello = MESSAGE(2, "ServerHello");
constexpr Message kHelloRetryRequest = MESSAGE(2, "HelloRetryRequest");
constexpr Message kEncryptedExtensions = MESSAGE(8, "EncryptedExtensions");
constexpr Message kServerCertificate = MESSAGE(11, "server's Certificate");
constexpr Message kClientCertificate = MESSAGE(11, "client's Certificate");
constexpr Message kServerKeyExchange = MESSAGE(12, "ServerKeyExchange");
constexpr Message kCertificateRequest = MESSAGE(13, "CertificateRequest");
constexpr Message kServerHelloDone = MESSAGE(14, "ServerHelloDone");
constexpr Message kCertificateVerify = MESSAGE(15, "server's CertificateVerify");
constexpr Message kClientKeyExchange = MESSAGE(16, "ClientKeyExchange");
constexpr Message kFinished = MESSAGE(20, "server's Finished");
constexpr Message kCertificateStatus = MESSAGE(22, "CertificateStatus");
constexpr Message kMessageHash = MESSAGE(254, "message_hash");
#undef MESSAGE

// `found` is called with the type and body of each; false is malformed.
template <class Found>
bool extensions(Bytes list, Found found) {
  Reader in(list);
  while (!in.empty()) {
    const size_t type = in.integer(2);
    const Bytes body = in.vector(2);
    if (!found(type, body)) return false;
  }
  return in.done();
}

bool are_extensions(Bytes list) {
  return extensions(list, [](size_t, Bytes) { return true; });
}

constexpr size_t kServerName = 0, kProtocols = 16;

// One name, of the only type that there is (RFC 6066 section 3).
bool server_name(Bytes value, Bytes& name) {
  Reader all(value), in(all.vector(2));
  if (!name.empty() || in.integer(1) != 0) return false;
  name = in.vector(2);
  return !name.empty() && in.done() && all.done();
}

// The list of RFC 7301 section 3.1, not empty.
bool protocols(Bytes value, Bytes& list) {
  Reader all(value);
  if (!list.empty()) return false;
  list = all.vector(2);
  Reader in(list);
  while (!in.empty())
    if (in.vector(1).empty()) return false;
  return !list.empty() && in.done() && all.done();
}

// A server chooses one.
bool protocol(Bytes value, Bytes& chosen) {
  Bytes list;
  if (!chosen.empty() || !protocols(value, list)) return false;
  Reader in(list);
  chosen = in.vector(1);
  return in.done();
}

bool client_hello(Bytes body, Transcript& out) {
  Reader in(body);
  if (in.integer(2) != kTls12) return false;  // in TLS 1.3 too (RFC 8446 section 4.1.2)
  out.client_random = in.take(32);
  const Bytes session = in.vector(1), suites = in.vector(2), compressions = in.vector(1);
  if (session.size() > 32 || suites.empty() || suites.size() % 2 != 0 || compressions.empty()) return false;
  const auto extension = [&](size_t type, Bytes value) {
    if (type == kServerName) return server_name(value, out.server_name);
    return type != kProtocols || protocols(value, out.protocols);
  };
  return in.empty() ? in.done() : extensions(in.vector(2), extension) && in.done();
}

struct ServerHello {
  size_t suite = 0;
  Bytes protocol;  // TLS 1.2
  size_t version = kTls12;
  bool retry = false;
};

// RFC 8446 section 4.1.3: the random that makes a ServerHello a HelloRetryRequest, SHA-256("HelloRetryRequest").
constexpr uint8_t kRetryRandom[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                    0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                    0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

bool server_hello(Bytes body, Bytes& random, ServerHello& hello) {
  constexpr size_t kSupportedVersions = 43;
  Reader in(body);
  if (in.integer(2) != kTls12) return false;
  random = in.take(32);
  hello.retry = std::ranges::equal(random, kRetryRandom);
  if (in.vector(1).size() > 32) return false;
  hello.suite = in.integer(2);
  if (in.integer(1) != 0) return false;  // compression
  bool versioned = false;
  const auto extension = [&](size_t type, Bytes value) {
    if (type == kProtocols) return protocol(value, hello.protocol);
    if (type != kSupportedVersions) return true;
    if (versioned || value.size() != 2) return false;
    versioned = true;
    hello.version = Reader(value).integer(2);
    return true;
  };
  return in.empty() ? in.done() : extensions(in.vector(2), extension) && in.done();
}

// The certificate list of either side's Certificate message; in TLS 1.3 extensions follow each certificate.
bool certificates(Bytes list, bool tls13, std::span<Bytes> out, size_t& count) {
  Reader in(list);
  for (count = 0; !in.empty(); count++) {
    const Bytes certificate = in.vector(3);
    if (certificate.empty() || count == out.size()) return false;
    if (tls13 && !are_extensions(in.vector(2))) return false;
    out[count] = certificate;
  }
  return in.done() && count > 0;
}

bool certificate_message(Bytes body, bool tls13, CertificateList& out) {
  Reader in(body);
  // Only a request after the handshake has a context (RFC 8446 section 4.3.2).
  if (tls13 && !in.vector(1).empty()) return false;
  return certificates(in.vector(3), tls13, out.storage, out.size) && in.done();
}

bool signature(Reader& in, Transcript& out) {
  out.server_scheme = static_cast<ipc::Scheme>(in.integer(2));
  out.server_signature = in.vector(2);
  return in.done() && !out.server_signature.empty();
}

class Parser {
 public:
  Parser(Bytes messages, Transcript& out) : all_(messages), in_(messages), out_(out) {}
  const char* tls13();
  const char* tls12();

 private:
  // The next message must have this type, and `check` must accept its body.
  template <class Check>
  bool message(const Message& expected, Check check) {
    problem_ = expected.misplaced;
    if (in_.integer(1) != expected.type) return false;
    const Bytes body = in_.vector(3);
    problem_ = expected.malformed;
    // No other message may be empty; a message that is cut off has an empty body here.
    if (body.empty() && expected.type != kServerHelloDone.type) return false;
    return check(body);
  }
  bool next_is(const Message& other) const { return !in_.empty() && in_.rest()[0] == other.type; }
  const char* refused(const char* problem) { return problem_ = problem; }
  bool hellos_tls13(ServerHello& hello);
  bool client_certificate(bool tls13);
  const char* end() { return in_.done() ? nullptr : refused("the transcript does not end where it must"); }

  Bytes all_;
  Reader in_;
  Transcript& out_;
  const char* problem_ = nullptr;
};

bool Parser::hellos_tls13(ServerHello& hello) {
  const auto hello_body = [&](Bytes body) { return client_hello(body, out_); };
  if (next_is(kMessageHash)) {
    size_t hash_size = 0;
    ServerHello retry;
    Bytes random;
    if (!message(kMessageHash, [&](Bytes body) { return hash_size = body.size(), true; }) ||
        !message(kHelloRetryRequest, [&](Bytes body) { return server_hello(body, random, retry) && retry.retry; }))
      return false;
    if (hash_size != (retry.suite == 0x1302 ? 48 : 32)) return refused("malformed message_hash"), false;
  }
  return message(kClientHello, hello_body) && message(kServerHello, [&](Bytes body) {
           return server_hello(body, out_.server_random, hello) && !hello.retry;
         });
}

bool Parser::client_certificate(bool tls13) {
  return message(kClientCertificate, [&](Bytes body) { return certificate_message(body, tls13, out_.client); });
}

const char* Parser::tls13() {
  ServerHello hello;
  if (!hellos_tls13(hello)) return problem_;
  if (hello.version != kTls13) return refused("the ServerHello does not select TLS 1.3");
  if (!hello.protocol.empty()) return refused("the ServerHello chooses a protocol, which is not its place in TLS 1.3");
  switch (hello.suite) {
    case 0x1301:                              // TLS_AES_128_GCM_SHA256
    case 0x1304:                              // TLS_AES_128_CCM_SHA256
    case 0x1305:                              // TLS_AES_128_CCM_8_SHA256
    case 0x1303: out_.hash_size = 32; break;  // TLS_CHACHA20_POLY1305_SHA256
    case 0x1302: out_.hash_size = 48; break;  // TLS_AES_256_GCM_SHA384
    default: return refused("the ServerHello selects an unknown cipher suite");
  }
  const auto request = [](Bytes body) {
    Reader in(body);
    return in.vector(1).empty() && are_extensions(in.vector(2)) && in.done();
  };
  const auto encrypted = [&](Bytes body) {
    Reader in(body);
    const auto extension = [&](size_t type, Bytes value) {
      return type != kProtocols || protocol(value, out_.protocol);
    };
    return extensions(in.vector(2), extension) && in.done();
  };
  if (!message(kEncryptedExtensions, encrypted) || !message(kCertificateRequest, request) ||
      !message(kServerCertificate, [&](Bytes body) { return certificate_message(body, true, out_.server); }))
    return problem_;
  out_.server_signed = all_.first(all_.size() - in_.rest().size());
  const auto verify = [&](Bytes body) {
    Reader in(body);
    return signature(in, out_);
  };
  if (!message(kCertificateVerify, verify) ||
      !message(kFinished, [&](Bytes body) { return body.size() == out_.hash_size; }) || !client_certificate(true))
    return problem_;
  return end();
}

bool is_ecdhe_aead(size_t suite) {
  switch (suite) {
    case 0xc02b:  // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    case 0xc02c:  // TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
    case 0xc02f:  // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    case 0xc030:  // TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
    case 0xc0ac:  // TLS_ECDHE_ECDSA_WITH_AES_128_CCM
    case 0xc0ae:  // TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8
    case 0xc0af:  // TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8
    case 0xcca8:  // TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    case 0xcca9:  // TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
      return true;
    default: return false;
  }
}

// RFC 8422 section 5.4: a named curve, its point, the signature.
bool server_key_exchange(Bytes body, Transcript& out) {
  Reader in(body);
  if (in.integer(1) != 3) return false;
  in.integer(2);
  if (in.vector(1).empty()) return false;
  out.server_signed = body.first(body.size() - in.rest().size());
  return signature(in, out);
}

const char* Parser::tls12() {
  ServerHello hello;
  if (!message(kClientHello, [&](Bytes body) { return client_hello(body, out_); }) ||
      !message(kServerHello, [&](Bytes body) { return server_hello(body, out_.server_random, hello); }))
    return problem_;
  if (hello.version != kTls12 || hello.retry) return refused("the ServerHello does not select TLS 1.2");
  out_.protocol = hello.protocol;
  if (!is_ecdhe_aead(hello.suite)) return refused("the ServerHello selects an unknown cipher suite");
  if (!message(kServerCertificate, [&](Bytes body) { return certificate_message(body, false, out_.server); }))
    return problem_;
  const auto status = [](Bytes body) {
    Reader in(body);
    return in.integer(1) == 1 && !in.vector(3).empty() && in.done();
  };
  const auto request = [](Bytes body) {
    Reader in(body);
    const Bytes types = in.vector(1), schemes = in.vector(2);
    in.vector(2);  // authorities
    return !types.empty() && !schemes.empty() && in.done();
  };
  const auto public_key = [](Bytes body) {
    Reader in(body);
    return !in.vector(1).empty() && in.done();
  };
  if (next_is(kCertificateStatus) && !message(kCertificateStatus, status)) return problem_;
  if (!message(kServerKeyExchange, [&](Bytes body) { return server_key_exchange(body, out_); }) ||
      !message(kCertificateRequest, request) || !message(kServerHelloDone, [](Bytes body) { return body.empty(); }) ||
      !client_certificate(false) || !message(kClientKeyExchange, public_key))
    return problem_;
  return end();
}

}  // namespace

const char* parse_transcript(ipc::Kind kind, Bytes messages, Transcript& out) {
  out = {};
  if (messages.size() > ipc::kMaxTranscript) return "the transcript is too long";
  Parser parser(messages, out);
  switch (kind) {
    case ipc::Kind::tls13_client_bound: return parser.tls13();
    case ipc::Kind::tls12_client: return parser.tls12();
    default: return "this kind of signature has no transcript";
  }
}

}  // namespace keyd
