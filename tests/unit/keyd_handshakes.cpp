// OpenSSL's side of keyd_handshakes.h, and proof that what it records is what a client signs.
#define OPENSSL_SUPPRESS_DEPRECATED  // RAND_METHOD is the only way to give OpenSSL randoms of our own
#include "keyd_handshakes.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/random.h>

#include <algorithm>
#include <stdexcept>

namespace witness {
namespace {

using Message = std::vector<uint8_t>;
constexpr uint8_t kClientHello = 1, kServerHello = 2, kCertificateVerify = 15, kMessageHash = 254;

X509* x509_of(const Certificate& certificate) { return static_cast<X509*>(certificate.x509.get()); }
EVP_PKEY* key_of(const Certificate& certificate) { return static_cast<EVP_PKEY*>(certificate.key.get()); }

EVP_PKEY* make_key(const std::string& type) {
  if (type.starts_with("RSA:"))
    return EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<size_t>(std::stoul(type.substr(4))));
  if (type.starts_with("P-")) return EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", type.c_str());
  return EVP_PKEY_Q_keygen(nullptr, nullptr, type.c_str());
}

void extend(X509* x509, const Certificate& issuer, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer.x509 ? x509_of(issuer) : x509, x509, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, void (*)(X509_EXTENSION*)> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()), X509_EXTENSION_free);
  if (!extension || X509_add_ext(x509, extension.get(), -1) != 1) throw std::runtime_error("extension " + value);
}

struct Freed {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Context = std::unique_ptr<SSL_CTX, Freed>;
using Ssl = std::unique_ptr<SSL, Freed>;

Context context_of(const SSL_METHOD* method, const HandshakeOptions& options, const std::vector<Certificate>& chain) {
  Context context(SSL_CTX_new(method));
  const int version = options.tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  SSL_CTX_set_security_level(context.get(), 0);  // the tests need weak servers, too
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  if (!options.suite.empty())
    (options.tls13 ? SSL_CTX_set_ciphersuites : SSL_CTX_set_cipher_list)(context.get(), options.suite.c_str());
  else if (!options.tls13) SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM");
  SSL_CTX_use_certificate(context.get(), x509_of(chain.at(0)));
  SSL_CTX_use_PrivateKey(context.get(), key_of(chain.at(0)));
  for (size_t i = 1; i < chain.size(); i++) SSL_CTX_add1_chain_cert(context.get(), x509_of(chain[i]));
  return context;
}

// While it lives, what OpenSSL draws at random begins with the mark if it has the size of a hello's random.
class Marked {
 public:
  explicit Marked(const ipc::Mark& mark) {
    static RAND_METHOD method{nullptr, draw, nullptr, nullptr, draw, nullptr};
    current_ = mark;
    RAND_set_rand_method(&method);
  }
  ~Marked() { RAND_set_rand_method(nullptr); }
  Marked(const Marked&) = delete;
  Marked& operator=(const Marked&) = delete;

 private:
  static int draw(unsigned char* out, int size) {
    if (getrandom(out, static_cast<size_t>(size), 0) != size) return 0;
    if (size == 32) std::copy(current_.begin(), current_.end(), out);
    return 1;
  }
  static inline ipc::Mark current_;
};

struct Seen {
  Recorded recorded;
  bool signed_ = false;
};

void on_message(int written, int, int type, const void* data, size_t size, SSL*, void* to) {
  auto& seen = *static_cast<Seen*>(to);
  if (type != SSL3_RT_HANDSHAKE || seen.signed_ || size < 4) return;
  const auto* bytes = static_cast<const uint8_t*>(data);
  if (written && bytes[0] == kCertificateVerify) {
    seen.signed_ = true;
    seen.recorded.client_signature.assign(bytes + 8, bytes + size);
    seen.recorded.client_scheme = static_cast<uint16_t>(bytes[4] << 8 | bytes[5]);
  } else {
    seen.recorded.messages.emplace_back(bytes, bytes + size);
  }
}

int take_last(SSL*, const uint8_t** out, uint8_t* size, const uint8_t* in, unsigned in_size, void*) {
  for (unsigned at = 0; at < in_size; at += 1u + in[at]) *out = in + at + 1, *size = in[at];
  return SSL_TLSEXT_ERR_OK;
}

// RFC 8446 section 4.4.1: after a HelloRetryRequest the first ClientHello counts as its hash.
void fold_retry(Recorded& recorded) {
  auto& messages = recorded.messages;
  if (messages.size() < 3 || messages[1][0] != kServerHello || messages[2][0] != kClientHello) return;
  Message folded(4 + recorded.hash_size);
  folded[0] = kMessageHash;
  folded[3] = static_cast<uint8_t>(recorded.hash_size);
  EVP_Digest(messages[0].data(), messages[0].size(), folded.data() + 4, nullptr,
             recorded.hash_size == 48 ? EVP_sha384() : EVP_sha256(), nullptr);
  messages[0] = folded;
}

}  // namespace

std::string Certificate::pem() const {
  std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(out.get(), x509_of(*this));
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<size_t>(size)};
}

std::string Certificate::key_pem() const {
  std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PKCS8PrivateKey(out.get(), key_of(*this), nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<size_t>(size)};
}

std::vector<uint8_t> Certificate::der() const {
  unsigned char* data = nullptr;
  const int size = i2d_X509(x509_of(*this), &data);
  const std::vector<uint8_t> der(data, data + size);
  OPENSSL_free(data);
  return der;
}

ipc::Spki Certificate::spki() const {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key_of(*this), &der);
  ipc::Spki digest{};
  EVP_Digest(der, static_cast<size_t>(size), digest.data(), nullptr, EVP_sha256(), nullptr);
  OPENSSL_free(der);
  return digest;
}

Certificate issue(const CertificateOptions& options, const Certificate* issuer) {
  static long serial = 1;
  Certificate made;
  made.key = options.of ? options.of->key : std::shared_ptr<void>(make_key(options.key), [](void* k) {
    EVP_PKEY_free(static_cast<EVP_PKEY*>(k));
  });
  X509* x509 = X509_new();
  made.x509 = std::shared_ptr<void>(x509, [](void* x) { X509_free(static_cast<X509*>(x)); });
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++);
  X509_gmtime_adj(X509_getm_notBefore(x509), 86400L * options.from_days);
  X509_gmtime_adj(X509_getm_notAfter(x509), 86400L * options.to_days);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(options.common_name.c_str()), -1, -1, 0);
  const Certificate& by = issuer ? *issuer : made;
  X509_set_issuer_name(x509, X509_get_subject_name(x509_of(by)));
  if (options.compressed)
    EVP_PKEY_set_utf8_string_param(key_of(made), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed");
  X509_set_pubkey(x509, key_of(made));
  extend(x509, by, NID_subject_key_identifier, "hash");
  if (issuer) extend(x509, by, NID_authority_key_identifier, "keyid");
  extend(x509, by, NID_basic_constraints, options.constraints);
  extend(x509, by, NID_subject_alt_name, options.names);
  extend(x509, by, NID_key_usage, options.usage);
  extend(x509, by, NID_ext_key_usage, options.extended_usage);
  const bool ed25519 = EVP_PKEY_get_base_id(key_of(by)) == EVP_PKEY_ED25519;
  if (X509_sign(x509, key_of(by), ed25519 ? nullptr : EVP_sha256()) == 0) throw std::runtime_error("X509_sign");
  return made;
}

Certificate authority(const std::string& name, const Certificate* issuer, const std::string& constraints) {
  return issue({.names = "", .constraints = "critical," + constraints, .usage = "keyCertSign", .common_name = name},
               issuer);
}

std::vector<uint8_t> Recorded::transcript() const {
  std::vector<uint8_t> all;
  for (const auto& message : messages) all.insert(all.end(), message.begin(), message.end());
  return all;
}

Recorded handshake(const HandshakeOptions& options) {
  const Marked marked(options.mark);
  Seen seen;
  const Context client_context = context_of(TLS_client_method(), options, options.client),
                server_context = context_of(TLS_server_method(), options, options.server);
  const auto trusting = [](int, X509_STORE_CTX*) { return 1; };
  SSL_CTX_set_verify(client_context.get(), SSL_VERIFY_PEER, trusting);
  SSL_CTX_set_verify(server_context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, trusting);
  SSL_CTX_set_msg_callback(client_context.get(), on_message);
  SSL_CTX_set_msg_callback_arg(client_context.get(), &seen);
  // In TLS 1.2 the list also says which curves a certificate may have.
  SSL_CTX_set1_groups_list(client_context.get(), "X25519:P-256:P-384:P-521");
  SSL_CTX_set1_groups_list(server_context.get(), options.retry ? "P-256" : "X25519:P-256:P-384:P-521");
  if (!options.server_schemes.empty()) SSL_CTX_set1_sigalgs_list(client_context.get(), options.server_schemes.c_str());
  std::string protocols;
  for (const std::string& name : options.alpn) protocols += static_cast<char>(name.size()) + name;
  SSL_CTX_set_alpn_protos(client_context.get(), reinterpret_cast<const uint8_t*>(protocols.data()),
                          static_cast<unsigned>(protocols.size()));
  SSL_CTX_set_alpn_select_cb(server_context.get(), take_last, nullptr);
  const Ssl client(SSL_new(client_context.get())), server(SSL_new(server_context.get()));
  if (!options.server_name.empty()) SSL_set_tlsext_host_name(client.get(), options.server_name.c_str());
  BIO *one = nullptr, *other = nullptr;
  BIO_new_bio_pair(&one, 64 * 1024, &other, 64 * 1024);
  SSL_set_bio(client.get(), one, one);
  SSL_set_bio(server.get(), other, other);
  for (int i = 0; i < 10; i++) SSL_connect(client.get()), SSL_accept(server.get());
  if (!SSL_is_init_finished(client.get()) || !SSL_is_init_finished(server.get()) || !seen.signed_)
    throw std::runtime_error("OpenSSL's handshake did not come to its end");
  Recorded& recorded = seen.recorded;
  recorded.kind = options.tls13 ? ipc::Kind::tls13_client_bound : ipc::Kind::tls12_client;
  const auto* hash = SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(client.get()));
  if (options.tls13) recorded.hash_size = static_cast<size_t>(EVP_MD_get_size(hash));
  fold_retry(recorded);
  return recorded;
}

bool is_signed_by(const Certificate& client, const Recorded& recorded) {
  auto content = recorded.transcript();
  if (recorded.hash_size != 0) {
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_Digest(content.data(), content.size(), digest, nullptr, recorded.hash_size == 48 ? EVP_sha384() : EVP_sha256(),
               nullptr);
    static constexpr char kClient[] = "TLS 1.3, client CertificateVerify";
    content.assign(64, ' ');
    content.insert(content.end(), std::begin(kClient), std::end(kClient));
    content.insert(content.end(), digest, digest + recorded.hash_size);
  }
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_of(client));
  return EVP_DigestVerify(context.get(), recorded.client_signature.data(), recorded.client_signature.size(),
                          content.data(), content.size()) == 1;
}

}  // namespace witness
