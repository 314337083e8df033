// Byte-level rules of the TLS standards for handshakes, as a TLS conformance suite would test them against a listener.

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/raw_tls.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

namespace alert {
constexpr int unexpected_message = 10, bad_record_mac = 20, record_overflow = 22, handshake_failure = 40,
              illegal_parameter = 47, decrypt_error = 51, no_renegotiation = 100, inappropriate_fallback = 86;
}
constexpr uint8_t kCertificateVerify = 15;
constexpr unsigned char kAes128GcmSha256[] = {0x13, 0x01};
constexpr size_t kEncryptedAlert = 2 + 1 + 16;   // RFC 8446 section 5.2: alert, type, tag
constexpr size_t kRenegotiationSignal = 0x00ff;  // RFC 5746 section 3.3: a cipher suite
constexpr size_t kSignatureAlgorithms = 13, kPadding = 21, kKeyShare = 51, kRenegotiationInfo = 0xff01;
const std::string kDummyChangeCipherSpec = record(record_type::change_cipher_spec, "\x01");

// A ClientHello in one record, and the positions of its parts (RFC 8446 section 4.1.2).
class Hello {
 public:
  explicit Hello(std::string bytes) : bytes_(std::move(bytes)) {
    size_t at = 5 + 4 + 2 + 32;
    at += 1 + number(at, 1);
    suites_ = at;
    at += 2 + number(at, 2);
    extensions_ = at + 1 + number(at, 1);
  }
  size_t extension(size_t type) const {
    size_t at = extensions_ + 2;
    while (number(at, 2) != type) at += 4 + number(at + 2, 2);
    return at;
  }
  void append_extension(size_t type, const std::string& body) {
    const auto two = [](size_t value) { return std::string{static_cast<char>(value >> 8), static_cast<char>(value)}; };
    insert(bytes_.size(), two(type) + two(body.size()) + body, {extensions_});
  }
  // For extensions that consist of a single list.
  void append_to_list(size_t type, const std::string& more) {
    const size_t at = extension(type);
    insert(at + 4 + number(at + 2, 2), more, {extensions_, at + 2, at + 4});
  }
  void prepend_to_list(size_t type, const std::string& more) {
    const size_t at = extension(type);
    insert(at + 6, more, {extensions_, at + 2, at + 4});
  }
  void prepend_suites(const std::string& more) {
    insert(suites_ + 2, more, {suites_});
    extensions_ += more.size();
  }
  void replace_suite(size_t suite, size_t with) {
    size_t at = suites_ + 2;
    while (number(at, 2) != suite) at += 2;
    bytes_[at] = static_cast<char>(with >> 8);
    bytes_[at + 1] = static_cast<char>(with);
  }
  std::string& bytes() { return bytes_; }

 private:
  size_t number(size_t at, size_t size) const {
    size_t value = 0;
    while (size-- > 0) value = value << 8 | static_cast<uint8_t>(bytes_.at(at++));
    return value;
  }

  // `lengths`: the positions of the two-byte lengths that cover the insertion, except the record's and the message's.
  void insert(size_t at, const std::string& more, std::vector<size_t> lengths) {
    lengths.insert(lengths.end(), {3, 7});
    for (const size_t length : lengths) {
      const size_t sum = number(length, 2) + more.size();
      bytes_[length] = static_cast<char>(sum >> 8);
      bytes_[length + 1] = static_cast<char>(sum);
    }
    bytes_.insert(at, more);
  }

  std::string bytes_;
  size_t suites_ = 0, extensions_ = 0;
};

struct Listener {
  explicit Listener(TlsVersion version, const char* groups = nullptr, const char* key_type = "p256")
      : identity(device_identity(key_type, 1)), context(TlsContext::client(&identity, authorities().root, version)) {
    if (groups) REQUIRE(SSL_CTX_set1_groups_list(context.get(), groups) == 1);
  }
  RawTls device() { return RawTls::client(RawSocket(world.relay().endpoint()), context); }
  // Sends `hello` as the device's first bytes; returns all records of the answer, up to the close.
  std::vector<Record> answer_to(std::string_view hello) {
    RawSocket socket(world.relay().endpoint());
    socket.send(hello);
    auto answer = socket.receive_to_end();
    return take_records(answer);
  }

  World world{{.remote = RemoteKind::none, .local = false}};
  Identity identity;
  TlsContext context;
};

void check_is_alert(const std::vector<Record>& answer, int code) {
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].type == record_type::alert);
  CHECK(answer[0].body == std::string{'\x02', static_cast<char>(code)});
}

// Passes each record of a flight to `change`, which may change it, or empty it to drop it.
std::string each_record(std::string flight, const std::function<void(Record&)>& change) {
  std::string changed;
  for (auto& one : take_records(flight)) {
    change(one);
    if (!one.body.empty()) changed += one.bytes();
  }
  return changed;
}

// Returns the alert that the device gets after a handshake whose flights pass through `change`.
int alert_after(Listener& listener, const std::function<void(Record&)>& change) {
  auto device = listener.device();
  for (;;) {
    const auto out = device.step();
    if (!out.empty()) device.socket().send(each_record(out, change));
    if (device.done() || !device.receive()) return device.alert();
    if (const auto& last = device.seen().back(); last.type == record_type::alert)
      return static_cast<uint8_t>(last.body.at(1));
  }
}

// Makes the client act as if it had another server's ticket that permits early data.
void announce_early_data(SSL* ssl) {
  SSL_set_psk_use_session_callback(
      ssl, [](SSL* self, const EVP_MD* hash, const unsigned char** id, size_t* id_size, SSL_SESSION** session) {
        static constexpr unsigned char kId[] = "ticket", kKey[32] = {};
        *session = nullptr;
        if (hash && EVP_MD_get_type(hash) != NID_sha256) return 1;  // a HelloRetryRequest chose another suite
        *session = SSL_SESSION_new();
        *id = kId;
        *id_size = sizeof kId;
        return static_cast<int>(SSL_SESSION_set1_master_key(*session, kKey, sizeof kKey) == 1 &&
                                SSL_SESSION_set_cipher(*session, SSL_CIPHER_find(self, kAes128GcmSha256)) == 1 &&
                                SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION) == 1 &&
                                SSL_SESSION_set_max_early_data(*session, 64 * 1024) == 1);
      });
}

// HKDF-Expand-Label(secret, label, "", size) of RFC 8446 section 7.1; `size` is at most that of one SHA-256.
std::string expand_label(const std::string& secret, const std::string& label, size_t size) {
  const std::string name = "tls13 " + label;
  const std::string info =
      std::string{'\0', static_cast<char>(size), static_cast<char>(name.size())} + name + std::string{'\0', '\x01'};
  unsigned char out[32];
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(info.data()), info.size(), out, nullptr);
  return {reinterpret_cast<const char*>(out), size};
}

// The first record under this secret's TLS_AES_128_GCM_SHA256 keys: application data without content.
std::string empty_encrypted_data(const std::string& secret) {
  const auto bytes = [](const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); };
  const auto key = expand_label(secret, "key", 16), iv = expand_label(secret, "iv", 12);
  auto sealed = record(record_type::application_data, std::string(1 + 16, '\0'));
  auto* out = reinterpret_cast<unsigned char*>(sealed.data());
  const unsigned char type = record_type::application_data;
  const std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  int size = 0;
  REQUIRE(EVP_EncryptInit_ex(cipher.get(), EVP_aes_128_gcm(), nullptr, bytes(key), bytes(iv)) == 1);
  REQUIRE(EVP_EncryptUpdate(cipher.get(), nullptr, &size, out, 5) == 1);
  REQUIRE(EVP_EncryptUpdate(cipher.get(), out + 5, &size, &type, 1) == 1);
  REQUIRE(EVP_EncryptFinal_ex(cipher.get(), out + 6, &size) == 1);
  REQUIRE(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, 16, out + 6) == 1);
  return sealed;
}

void check_is_served(RawTls& device) {
  device.socket().send(device.encrypt(mqtt::connect({.client_id = "thermo"})));
  CHECK(device.read(connack_accepted.size()) == connack_accepted);
}

}  // namespace

TEST_CASE("a key share that is not a point on its curve gets an alert instead of a ServerHello") {
  const auto [groups, key_size] = GENERATE(std::pair{"P-256", 65}, std::pair{"P-384", 97});
  Listener listener(TlsVersion::v1_3, groups);
  auto device = listener.device();
  Hello hello(device.step());
  const size_t key = hello.extension(kKeyShare) + 4 + 2 + 4;  // of the first share: after its group and length
  REQUIRE(hello.bytes().at(key) == 4);
  for (int i = 1; i < key_size; i++) hello.bytes()[key + static_cast<size_t>(i)] = '\x05';
  check_is_alert(listener.answer_to(hello.bytes()), alert::illegal_parameter);
}

TEST_CASE("an X25519 key share that yields an all-zero secret gets an alert instead of a ServerHello") {
  Listener listener(TlsVersion::v1_3, "X25519");
  auto device = listener.device();
  Hello hello(device.step());
  hello.bytes().replace(hello.extension(kKeyShare) + 4 + 2 + 4, 32, std::string(32, '\0'));
  check_is_alert(listener.answer_to(hello.bytes()), alert::illegal_parameter);  // RFC 8446 section 7.4.2
}

TEST_CASE("a device may send a hundred key shares") {
  Listener listener(TlsVersion::v1_3, "X25519");
  auto device = listener.device();
  Hello hello(device.step());
  std::string more;
  for (int i = 0; i < 100; i++) more += std::string{'\x5a', static_cast<char>(i), '\0', '\x01', 'k'};
  hello.append_to_list(kKeyShare, more);
  device.socket().send(hello.bytes());
  const auto answer = device.socket().receive();
  CHECK(static_cast<uint8_t>(answer.at(0)) == record_type::handshake);
}

TEST_CASE("a TLS 1.3 device with no common group gets handshake_failure") {
  Listener listener(TlsVersion::v1_3, "X448");
  auto device = listener.device();
  check_is_alert(listener.answer_to(device.step()), alert::handshake_failure);  // RFC 8446 section 4.1.1
  listener.world.relay().log().wait_text("the groups X448");
}

TEST_CASE("the version in a record header is ignored in TLS 1.3") {
  Listener listener(TlsVersion::v1_3);
  auto device = listener.device();
  device.handshake([](std::string flight) {
    return each_record(std::move(flight), [](Record& one) {
      if (one.type == record_type::change_cipher_spec) one.header[2] = '\x01';  // RFC 8446 section 5.1
    });
  });
  check_is_served(device);
}

TEST_CASE("a TLS 1.3 device may repeat its dummy change_cipher_spec, but not a thousand times") {
  const int repeats = GENERATE(3, 1000);
  CAPTURE(repeats);
  Listener listener(TlsVersion::v1_3);
  auto device = listener.device();
  device.handshake([&](std::string flight) {
    return each_record(std::move(flight), [&](Record& one) {
      if (one.type != record_type::change_cipher_spec) return;
      for (int i = 1; i < repeats; i++) one.body += kDummyChangeCipherSpec;
    });
  });
  if (repeats == 3) check_is_served(device);
  else CHECK(device.alert() == alert::unexpected_message);
}

TEST_CASE("a change_cipher_spec after a TLS 1.3 handshake is an unexpected message") {
  Listener listener(TlsVersion::v1_3);
  auto device = listener.device();
  device.handshake();
  check_is_served(device);
  device.socket().send(kDummyChangeCipherSpec);
  CHECK(device.alert() == alert::unexpected_message);
}

TEST_CASE("a change_cipher_spec of two bytes is an unexpected message") {
  Listener listener(TlsVersion::v1_2);
  CHECK(alert_after(listener, [](Record& one) {
          if (one.type == record_type::change_cipher_spec) {
            auto longer = record(one.type, "\x01\x01");
            one = take_records(longer).front();
          }
        }) == alert::unexpected_message);
}

TEST_CASE("a TLS 1.2 device that omits its CertificateVerify gets unexpected_message") {
  Listener listener(TlsVersion::v1_2);
  CHECK(alert_after(listener, [](Record& one) {
          if (one.type == record_type::handshake && one.body[0] == kCertificateVerify) one.body.clear();
        }) == alert::unexpected_message);
}

TEST_CASE("a TLS 1.2 device whose signature covers another hash than it claims gets decrypt_error") {
  Listener listener(TlsVersion::v1_2, nullptr, "rsa2048");
  REQUIRE(SSL_CTX_set1_sigalgs_list(listener.context.get(), "RSA+SHA256:RSA+SHA384:ECDSA+SHA256") == 1);
  CHECK(alert_after(listener, [](Record& one) {
          if (one.type != record_type::handshake || one.body[0] != kCertificateVerify) return;
          REQUIRE(one.body[5] == '\x01');                         // RSA with PKCS #1 padding
          one.body[4] = one.body[4] == '\x04' ? '\x05' : '\x04';  // swaps SHA-256 and SHA-384
        }) == alert::decrypt_error);
}

TEST_CASE("a TLS 1.2 device whose signature algorithm does not fit its key gets illegal_parameter") {
  Listener listener(TlsVersion::v1_2);
  CHECK(alert_after(listener, [](Record& one) {
          if (one.type == record_type::handshake && one.body[0] == kCertificateVerify) one.body[5] = '\x01';
        }) == alert::illegal_parameter);
}

TEST_CASE("a device that signals a fallback to TLS 1.2 gets inappropriate_fallback") {
  Listener listener(TlsVersion::v1_2);
  SSL_CTX_set_mode(listener.context.get(), SSL_MODE_SEND_FALLBACK_SCSV);
  auto device = listener.device();
  check_is_alert(listener.answer_to(device.step()), alert::inappropriate_fallback);  // RFC 7507 section 3
  listener.world.relay().log().wait_text("fell back to an older TLS version");
}

TEST_CASE("a ClientHello with a legacy version above TLS 1.2 is served with TLS 1.2") {
  Listener listener(TlsVersion::v1_2);
  auto device = listener.device();
  auto hello = device.step();
  hello[10] = '\x04';  // RFC 5246 appendix E.1: the highest version that the client supports
  device.socket().send(hello);
  const auto answer = device.socket().receive();
  CHECK(static_cast<uint8_t>(answer.at(0)) == record_type::handshake);
}

TEST_CASE("a TLS 1.2 device that asks to renegotiate gets a warning, and its session continues") {
  Listener listener(TlsVersion::v1_2);
  auto device = listener.device();
  device.handshake();
  check_is_served(device);
  static int received = 0;  // OpenSSL itself then ends the session, and says why only here
  SSL_set_info_callback(device.get(), [](const SSL*, int where, int value) {
    if (where == SSL_CB_READ_ALERT) received = value;
  });
  REQUIRE(SSL_renegotiate(device.get()) == 1);
  device.socket().send(device.step());  // a ClientHello
  device.alert();
  CHECK(received == (1 << 8 | alert::no_renegotiation));  // SSL_CTX_set_info_callback(3): level and description
}

TEST_CASE("a first ClientHello with renegotiation data is refused") {
  Listener listener(TlsVersion::v1_2);
  auto device = listener.device();
  Hello hello(device.step());
  hello.replace_suite(kRenegotiationSignal, 0x5a5a);
  hello.append_extension(kRenegotiationInfo, std::string("\x01\x78", 2));
  check_is_alert(listener.answer_to(hello.bytes()), alert::handshake_failure);  // RFC 5746 section 3.6
}

TEST_CASE("a device may offer thousands of unknown cipher suites and signature schemes") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  Listener listener(version);
  auto device = listener.device();
  Hello hello(device.step());
  std::string unknown;
  for (int i = 0; i < 3000; i++) unknown += {'\x5a', static_cast<char>(i)};
  hello.prepend_suites(unknown);
  hello.prepend_to_list(kSignatureAlgorithms, unknown);
  device.socket().send(hello.bytes());
  const auto answer = device.socket().receive();
  CHECK(static_cast<uint8_t>(answer.at(0)) == record_type::handshake);
}

TEST_CASE("a ClientHello in a record one byte larger than 16 KiB gets record_overflow") {
  Listener listener(TlsVersion::v1_3);
  auto device = listener.device();
  Hello hello(device.step());
  hello.append_extension(kPadding, std::string(16384 + 1 - (hello.bytes().size() - 5) - 4, '\0'));
  check_is_alert(listener.answer_to(hello.bytes()), alert::record_overflow);  // RFC 8446 section 5.1
}

TEST_CASE("a TLS 1.3 device that cannot use the ServerHello may send a plaintext alert, and gets no answer") {
  Listener listener(TlsVersion::v1_3);
  auto device = listener.device();
  device.socket().send(device.step());
  std::string answer = device.socket().receive();
  device.socket().send(fatal_alert(alert::illegal_parameter));
  answer += device.socket().receive_to_end();
  for (const auto& one : take_records(answer)) CHECK(one.body.size() != kEncryptedAlert);
  listener.world.relay().log().wait_text("sent the TLS alert illegal_parameter (47)");
}

TEST_CASE("a device with no usable key share is asked for X25519, not for the slowest group") {
  Listener listener(TlsVersion::v1_3,
                    "X448:P-521:P-384:P-256:X25519");  // the device sends a share for the first group only
  auto device = listener.device();
  device.handshake();
  check_is_served(device);
  CHECK(SSL_get_negotiated_group(device.get()) == NID_X25519);
}

TEST_CASE("early data for another server's ticket is skipped, even after a HelloRetryRequest") {
  const auto* groups = GENERATE("X25519", "X448:X25519");
  Listener listener(TlsVersion::v1_3, groups);
  auto device = listener.device();
  announce_early_data(device.get());
  size_t written = 0;
  REQUIRE(SSL_write_early_data(device.get(), "early", 5, &written) == 1);
  device.handshake();
  CHECK(SSL_get_early_data_status(device.get()) == SSL_EARLY_DATA_REJECTED);
  check_is_served(device);
}

TEST_CASE("more early data than 16 KiB is not skipped") {
  Listener listener(TlsVersion::v1_3);
  auto device = listener.device();
  announce_early_data(device.get());
  const std::string much(12 * 1024, 'x');
  size_t written = 0;
  for (int i = 0; i < 2; i++) REQUIRE(SSL_write_early_data(device.get(), much.data(), much.size(), &written) == 1);
  device.socket().send(device.pending_output());
  CHECK(device.alert() == alert::bad_record_mac);
}

TEST_CASE("without announced early data, a record that cannot be decrypted is refused") {
  Listener listener(TlsVersion::v1_3);
  CHECK(alert_after(listener, [](Record& one) {
          if (one.type == record_type::application_data) one.body.back() = static_cast<char>(one.body.back() ^ 1);
        }) == alert::bad_record_mac);
}

TEST_CASE("without announced early data, application data before the keys is refused, even if empty") {
  const std::string data = GENERATE("", "early");
  Listener listener(TlsVersion::v1_3, "X448:X25519");  // so that a HelloRetryRequest comes first
  auto device = listener.device();
  device.socket().send(device.step());
  REQUIRE(device.receive());
  device.socket().send(record(record_type::application_data, data));
  CHECK(device.alert() == alert::unexpected_message);
}

TEST_CASE("encrypted application data before a device's Finished is refused, even if empty") {
  Listener listener(TlsVersion::v1_3);
  static std::string secret;
  REQUIRE(SSL_CTX_set_ciphersuites(listener.context.get(), "TLS_AES_128_GCM_SHA256") == 1);
  SSL_CTX_set_keylog_callback(listener.context.get(), [](const SSL*, const char* line) {
    const std::string text = line;
    if (!text.starts_with("CLIENT_HANDSHAKE_TRAFFIC_SECRET")) return;
    const auto hex = text.substr(text.rfind(' ') + 1);
    for (size_t i = 0; i < hex.size(); i += 2) secret += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  });
  auto device = listener.device();
  device.socket().send(device.step());
  std::string finished;
  while (!device.done()) {
    REQUIRE(device.receive());
    finished += device.step();
  }
  REQUIRE(secret.size() == 32);
  device.socket().send(empty_encrypted_data(secret) + finished);
  CHECK(device.alert() == alert::unexpected_message);
}
