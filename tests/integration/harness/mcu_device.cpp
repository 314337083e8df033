#include "tests/integration/harness/mcu_device.h"

#include <arpa/inet.h>
#include <bearssl.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <vector>

#include "tests/integration/harness/deadline.h"

namespace harness {
namespace {

using Der = std::vector<unsigned char>;

template <typename Object>
Der der_of(Object* object, int (*encode)(Object*, unsigned char**)) {
  unsigned char* bytes = nullptr;
  const int size = encode(object, &bytes);
  if (size <= 0) throw Failure("OpenSSL can't encode");
  Der der(bytes, bytes + size);
  OPENSSL_free(bytes);
  return der;
}

std::vector<Der> certificates_of(const fs::path& file) {
  const std::unique_ptr<FILE, int (*)(FILE*)> in(fopen(file.c_str(), "r"), fclose);
  std::vector<Der> all;
  while (X509* one = PEM_read_X509(in.get(), nullptr, nullptr, nullptr)) {
    all.push_back(der_of<const X509>(one, i2d_X509));
    X509_free(one);
  }
  return all;
}

Der key_of(const fs::path& file) {
  const std::unique_ptr<FILE, int (*)(FILE*)> in(fopen(file.c_str(), "r"), fclose);
  EVP_PKEY* key = PEM_read_PrivateKey(in.get(), nullptr, nullptr, nullptr);
  auto der = der_of<const EVP_PKEY>(key, i2d_PrivateKey);
  EVP_PKEY_free(key);
  return der;
}

// The uncompressed point of a P-256 certificate lies at the end of its SubjectPublicKeyInfo.
Der point_of(const Der& certificate) {
  const unsigned char* at = certificate.data();
  X509* x509 = d2i_X509(nullptr, &at, static_cast<long>(certificate.size()));
  const auto spki = der_of<const EVP_PKEY>(X509_get0_pubkey(x509), i2d_PUBKEY);
  X509_free(x509);
  return Der(spki.end() - 65, spki.end());
}

class Tcp {
 public:
  explicit Tcp(const Endpoint& to) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to.port);
    inet_pton(AF_INET, to.host.c_str(), &address.sin_addr);
    const timeval deadline{20 * HARNESS_PATIENCE_FACTOR, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail_errno("connect to " + to.text());
  }
  ~Tcp() { close(fd_); }
  Tcp(const Tcp&) = delete;
  Tcp& operator=(const Tcp&) = delete;
  int read(unsigned char* to, size_t size) {
    const ssize_t got = recv(fd_, to, size, 0);
    return got > 0 ? static_cast<int>(got) : -1;
  }
  int write(const unsigned char* from, size_t size) {
    const ssize_t sent = ::send(fd_, from, size, MSG_NOSIGNAL);
    return sent > 0 ? static_cast<int>(sent) : -1;
  }

 private:
  int fd_;
};

class BearSsl final : public McuDevice {
 public:
  BearSsl(size_t buffer, const Endpoint& to, const Identity& identity, const Identity& server)
      : tcp_(to),
        in_(buffer + 325),
        out_(512 + 85),
        key_(key_of(identity.key)) {  // bearssl_ssl.h: what a record adds to the plaintext
    for (auto& der : certificates_of(identity.certificate)) chain_der_.push_back(std::move(der));
    for (auto& der : chain_der_) chain_.push_back({der.data(), der.size()});
    point_ = point_of(certificates_of(server.certificate).front());
    br_skey_decoder_init(&skey_);
    br_skey_decoder_push(&skey_, key_.data(), key_.size());
    br_ssl_client_init_full(&client_, &minimal_, nullptr, 0);
    const br_ec_public_key peer{BR_EC_secp256r1, point_.data(), point_.size()};
    br_x509_knownkey_init_ec(&known_, &peer, BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN);
    br_ssl_engine_set_x509(&client_.eng, &known_.vtable);
    br_ssl_client_set_single_ec(&client_, chain_.data(), chain_.size(), br_skey_decoder_get_ec(&skey_), BR_KEYTYPE_SIGN,
                                BR_KEYTYPE_EC, br_ec_get_default(), br_ecdsa_sign_asn1_get_default());
    br_ssl_engine_set_buffers_bidi(&client_.eng, in_.data(), in_.size(), out_.data(), out_.size());
    br_ssl_client_reset(&client_, "localhost", 0);
    br_sslio_init(
        &io_, &client_.eng,
        [](void* tcp, unsigned char* to_, size_t n) { return static_cast<Tcp*>(tcp)->read(to_, n); }, &tcp_,
        [](void* tcp, const unsigned char* from, size_t n) { return static_cast<Tcp*>(tcp)->write(from, n); }, &tcp_);
  }
  void send(std::string_view bytes) override {
    if (br_sslio_write_all(&io_, bytes.data(), bytes.size()) != 0 || br_sslio_flush(&io_) != 0) fail("send");
  }
  std::string read(size_t size) override {
    std::string bytes(size, '\0');
    if (br_sslio_read_all(&io_, bytes.data(), size) != 0) fail("read");
    return bytes;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Failure(what + ": BearSSL error " + std::to_string(br_ssl_engine_last_error(&client_.eng)) +
                  " (6: a record larger than the buffer)");
  }
  Tcp tcp_;
  Der in_, out_, key_, point_;
  std::vector<Der> chain_der_;
  std::vector<br_x509_certificate> chain_;
  br_skey_decoder_context skey_;
  br_ssl_client_context client_;
  br_x509_minimal_context minimal_;
  br_x509_knownkey_context known_;
  br_sslio_context io_;
};

class MbedTls final : public McuDevice {
 public:
  MbedTls(size_t buffer, const Endpoint& to, const Identity& identity, int suite) : MbedTls(buffer, to, suite) {
    const uint8_t length = buffer == 2048 ? MBEDTLS_SSL_MAX_FRAG_LEN_2048 : MBEDTLS_SSL_MAX_FRAG_LEN_4096;
    check(mbedtls_ctr_drbg_seed(&random_, mbedtls_entropy_func, &entropy_, nullptr, 0), "seed");
    check(mbedtls_x509_crt_parse_file(&own_, identity.certificate.c_str()), "certificate");
    check(mbedtls_x509_crt_parse_file(&trusted_, authorities().root.c_str()), "root");
    check(mbedtls_pk_parse_keyfile(&key_, identity.key.c_str(), nullptr), "key");
    check(mbedtls_ssl_config_defaults(&config_, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                      MBEDTLS_SSL_PRESET_DEFAULT),
          "configuration");
    mbedtls_ssl_conf_ca_chain(&config_, &trusted_, nullptr);
    if (suite != 0) mbedtls_ssl_conf_ciphersuites(&config_, suites_);
    mbedtls_ssl_conf_rng(&config_, mbedtls_ctr_drbg_random, &random_);
    check(mbedtls_ssl_conf_own_cert(&config_, &own_, &key_), "own certificate");
    check(mbedtls_ssl_conf_max_frag_len(&config_, length), "max_fragment_length");
    check(mbedtls_ssl_setup(&ssl_, &config_), "setup");
    check(mbedtls_ssl_set_hostname(&ssl_, "localhost"), "name");
    mbedtls_ssl_set_bio(
        &ssl_, this, [](void* self, const unsigned char* from, size_t n) { return tcp(self).write(from, n); },
        [](void* self, unsigned char* to_, size_t n) { return static_cast<MbedTls*>(self)->receive(to_, n); }, nullptr);
    check(mbedtls_ssl_handshake(&ssl_), "handshake");
  }
  ~MbedTls() override {
    mbedtls_ssl_free(&ssl_);
    mbedtls_ssl_config_free(&config_);
    mbedtls_x509_crt_free(&own_);
    mbedtls_x509_crt_free(&trusted_);
    mbedtls_pk_free(&key_);
    mbedtls_ctr_drbg_free(&random_);
    mbedtls_entropy_free(&entropy_);
  }
  MbedTls(const MbedTls&) = delete;
  MbedTls& operator=(const MbedTls&) = delete;
  void send(std::string_view bytes) override {
    while (!bytes.empty()) {
      const int sent = mbedtls_ssl_write(&ssl_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
      check(sent, "send");
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  std::string read(size_t size) override {
    std::string bytes(size, '\0');
    for (size_t got = 0; got < size;) {
      const int more = mbedtls_ssl_read(&ssl_, reinterpret_cast<unsigned char*>(bytes.data()) + got, size - got);
      check(more > 0 ? 0 : more < 0 ? more : MBEDTLS_ERR_SSL_CONN_EOF, "read");
      got += static_cast<size_t>(more);
    }
    return bytes;
  }

 private:
  // The public constructor delegates to this one, so the destructor also runs if its handshake fails.
  MbedTls(size_t buffer, const Endpoint& to, int suite) : tcp_(to), buffer_(buffer), suites_{suite, 0} {
    mbedtls_ssl_init(&ssl_);
    mbedtls_ssl_config_init(&config_);
    mbedtls_x509_crt_init(&own_);
    mbedtls_x509_crt_init(&trusted_);
    mbedtls_pk_init(&key_);
    mbedtls_entropy_init(&entropy_);
    mbedtls_ctr_drbg_init(&random_);
  }
  static Tcp& tcp(void* self) { return static_cast<MbedTls*>(self)->tcp_; }
  // Debian's library has a 16 KiB buffer. mbedTLS asks for the rest of a record as soon as it has the header, so the
  // size that it asks for shows whether a smaller buffer would hold the record.
  int receive(unsigned char* to, size_t size) {
    constexpr size_t kExpansion = 8 + 16;
    return size > buffer_ + kExpansion ? MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL : tcp_.read(to, size);
  }
  static void check(int result, const std::string& what) {
    if (result >= 0) return;
    char text[160];
    mbedtls_strerror(result, text, sizeof text);
    throw Failure(what + ": mbedTLS: " + text);
  }
  Tcp tcp_;
  size_t buffer_;
  const int suites_[2];
  mbedtls_ssl_context ssl_;
  mbedtls_ssl_config config_;
  mbedtls_x509_crt own_, trusted_;
  mbedtls_pk_context key_;
  mbedtls_entropy_context entropy_;
  mbedtls_ctr_drbg_context random_;
};

}  // namespace

std::unique_ptr<McuDevice> mcu_device(McuStack stack, size_t buffer, const Endpoint& to, const Identity& identity,
                                      const Identity& server, int suite) {
  if (stack == McuStack::bearssl) return std::make_unique<BearSsl>(buffer, to, identity, server);
  return std::make_unique<MbedTls>(buffer, to, identity, suite);
}

}  // namespace harness
