#include "tests/integration/harness/tampering_client.h"

#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

namespace harness {
namespace {

using Bytes = std::vector<uint8_t>;
constexpr uint8_t kHandshake = 22, kApplicationData = 23, kCertificateVerify = 15;
constexpr size_t kRecordHeader = 5, kMessageHeader = 4, kTag = 16;

void require(bool done, const char* what) {
  if (!done) throw Failure(std::string("tampering client: ") + what);
}

// HKDF-Expand-Label with an empty context, RFC 8446 section 7.1, SHA-256.
Bytes expand_label(const Bytes& secret, const std::string& name, size_t size) {
  const std::string label = "tls13 " + name;
  Bytes info{0, static_cast<uint8_t>(size), static_cast<uint8_t>(label.size())};
  info.insert(info.end(), label.begin(), label.end());
  info.push_back(0);
  const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr), EVP_KDF_free);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(EVP_KDF_CTX_new(kdf.get()), EVP_KDF_CTX_free);
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<uint8_t*>(secret.data()), secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()), OSSL_PARAM_construct_end()};
  Bytes out(size);
  require(EVP_KDF_derive(context.get(), out.data(), size, parameters) == 1, "HKDF");
  return out;
}

// One direction of TLS_AES_128_GCM_SHA256, RFC 8446 section 5.2 and 5.3.
class Protection {
 public:
  explicit Protection(const Bytes& secret)
      : key_(expand_label(secret, "key", 16)), iv_(expand_label(secret, "iv", 12)) {}

  // Takes a record's payload, or its `size`; changes `in` in place.
  Bytes open(const Bytes& record) {
    Bytes plain(record.begin() + kRecordHeader, record.end() - kTag);
    crypt(false, {record.begin(), record.begin() + kRecordHeader}, plain, Bytes(record.end() - kTag, record.end()));
    return plain;
  }
  Bytes seal(Bytes plain) {
    const size_t size = plain.size() + kTag;
    Bytes record{kApplicationData, 3, 3, static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)};
    const Bytes tag = crypt(true, record, plain, Bytes(kTag));
    record.insert(record.end(), plain.begin(), plain.end());
    record.insert(record.end(), tag.begin(), tag.end());
    return record;
  }

 private:
  Bytes crypt(bool encrypt, const Bytes& header, Bytes& data, Bytes tag) {
    Bytes nonce = iv_;
    for (size_t i = 0; i < 8; i++) nonce[11 - i] ^= static_cast<uint8_t>(sequence_ >> (8 * i));
    sequence_++;
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                  EVP_CIPHER_CTX_free);
    int size = 0;
    require(EVP_CipherInit_ex(context.get(), EVP_aes_128_gcm(), nullptr, key_.data(), nonce.data(), encrypt) == 1 &&
                EVP_CipherUpdate(context.get(), nullptr, &size, header.data(), static_cast<int>(header.size())) == 1 &&
                EVP_CipherUpdate(context.get(), data.data(), &size, data.data(), static_cast<int>(data.size())) == 1,
            "AES-GCM");
    if (!encrypt) EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTag, tag.data());
    uint8_t rest[16];
    require(EVP_CipherFinal_ex(context.get(), rest, &size) == 1, "AES-GCM's tag");
    if (encrypt) EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTag, tag.data());
    return tag;
  }

  Bytes key_, iv_;
  uint64_t sequence_ = 0;
};

Bytes without_certificate_verify(const Bytes& messages) {
  Bytes rest;
  for (size_t at = 0; at + kMessageHeader <= messages.size();) {
    const size_t size = kMessageHeader + (messages[at + 1] << 16 | messages[at + 2] << 8 | messages[at + 3]);
    if (messages[at] != kCertificateVerify)
      rest.insert(rest.end(), messages.begin() + static_cast<long>(at),
                  messages.begin() + static_cast<long>(at + size));
    at += size;
  }
  return rest;
}

class Client {
 public:
  Client(const Identity& identity, TlsVersion version)
      : context_(TlsContext::client(&identity, authorities().root, version)), ssl_(nullptr, SSL_free) {
    SSL_CTX_set_ciphersuites(context_.get(), "TLS_AES_128_GCM_SHA256");
    ssl_.reset(SSL_new(context_.get()));
    SSL_CTX_set_keylog_callback(context_.get(), [](const SSL* ssl, const char* line) {
      static_cast<Client*>(SSL_get_app_data(ssl))->take_secret(line);
    });
    SSL_set_app_data(ssl_.get(), this);
    SSL_set_verify(ssl_.get(), SSL_VERIFY_NONE, nullptr);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_connect_state(ssl_.get());
    tls13_ = version == TlsVersion::v1_3;
  }

  void receive(const char* bytes, size_t size) { BIO_write(in_, bytes, static_cast<int>(size)); }
  // Returns 0 if the handshake continues or is done; otherwise the alert received.
  int step() {
    if (SSL_is_init_finished(ssl_.get())) {
      char byte;
      SSL_read(ssl_.get(), &byte, 1);
    } else {
      SSL_do_handshake(ssl_.get());
    }
    const int reason = ERR_GET_REASON(ERR_peek_error());
    ERR_clear_error();
    return reason > SSL_AD_REASON_OFFSET ? reason - SSL_AD_REASON_OFFSET : 0;
  }
  // Returns the bytes to send, without the message.
  Bytes send() {
    char* data = nullptr;
    const long size = BIO_get_mem_data(out_, &data);
    Bytes all(data, data + size), kept;
    (void)BIO_reset(out_);
    for (size_t at = 0; at + kRecordHeader <= all.size();) {
      const size_t length = kRecordHeader + (all[at + 3] << 8 | all[at + 4]);
      const Bytes record =
          filtered({all.begin() + static_cast<long>(at), all.begin() + static_cast<long>(at + length)});
      kept.insert(kept.end(), record.begin(), record.end());
      at += length;
    }
    return kept;
  }

 private:
  Bytes filtered(const Bytes& record) {
    if (!tls13_ && record[0] == kHandshake && record[kRecordHeader] == kCertificateVerify) return {};
    if (!tls13_ || record[0] != kApplicationData || !reading_) return record;
    Bytes inner = reading_->open(record);
    while (!inner.empty() && inner.back() == 0) inner.pop_back();
    if (inner.back() != kHandshake) return writing_->seal(inner);
    inner.pop_back();
    Bytes rest = without_certificate_verify(inner);
    if (rest.empty()) return {};
    rest.push_back(kHandshake);
    return writing_->seal(rest);
  }
  void take_secret(const std::string& line) {
    if (!line.starts_with("CLIENT_HANDSHAKE_TRAFFIC_SECRET ")) return;
    const std::string hex = line.substr(line.rfind(' ') + 1);
    Bytes secret;
    for (size_t i = 0; i + 1 < hex.size(); i += 2)
      secret.push_back(static_cast<uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
    reading_ = std::make_unique<Protection>(secret);
    writing_ = std::make_unique<Protection>(secret);
  }

  TlsContext context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  BIO *in_ = nullptr, *out_ = nullptr;  // owned by the SSL
  std::unique_ptr<Protection> reading_, writing_;
  bool tls13_ = false;
};

}  // namespace

int handshake_without_certificate_verify(const Endpoint& to, const Identity& identity, TlsVersion version,
                                         Deadline deadline) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(to.port);
  inet_pton(AF_INET, to.host.c_str(), &address.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const std::unique_ptr<const int, void (*)(const int*)> closer(&fd, [](const int* open) { close(*open); });
  require(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "connect");
  Client client(identity, version);
  for (;;) {
    if (const int alert = client.step()) return alert;
    const Bytes bytes = client.send();
    if (!bytes.empty()) require(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0, "send");
    pollfd ready{fd, POLLIN, 0};
    require(poll(&ready, 1, deadline.poll_timeout()) == 1, "no answer");
    char received[16384];
    const ssize_t got = recv(fd, received, sizeof received, 0);
    if (got <= 0) return -1;
    client.receive(received, static_cast<size_t>(got));
  }
}

}  // namespace harness
