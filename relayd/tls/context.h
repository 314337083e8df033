// What all connections of one kind share: our certificate, the validator for the peers' chains, the TLS versions. Built
// once at start from PEM text (a worker opens no file). Errors are common::ConfigError and name the file. wolfSSL gets
// no CA: it runs the handshake but judges no chain.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/trust/validator.h"
#include "relayd/handover/tls_choices.h"
#include "relayd/tls/certificate.h"
#include "relayd/tls/server_names.h"

struct WOLFSSL_CTX;

namespace relayd::tls {

using trust::Pem;

struct ServerOptions {
  // Chains, leaf first; at least one. The first is the default, the others are shown to devices that ask for one of
  // their names (server_names.h).
  std::vector<Pem> certificates = {};
  Pem trusted = {};  // the CAs that issue device certificates; used if verify_peer
  Pem revoked = {};  // CRLs; none if text is empty
  bool verify_peer = true;
  bool fail_if_no_peer_cert = true;
  Versions versions = Versions::tls12_and_13;
  // Key exchanges and cipher suites, best first; wolfSSL takes the first one that the device supports. Empty: the
  // default ones.
  std::vector<uint16_t> groups = {}, ciphers = {};
  trust::Policy policy = {};      // for the devices' chains; purpose and name are set here
  size_t max_record = 16 * 1024;  // bytes; a device may ask for less with max_fragment_length
};

// A ClientHello with X25519MLKEM768's key exceeds 1,400 bytes, and some middleboxes drop it. A small one offers the
// same groups but carries only a classical key; a broker that prefers the hybrid asks for its key (HelloRetryRequest,
// RFC 8446 section 4.1.4). So an attacker who drops large ClientHellos can't weaken the key exchange.
enum class Hello : uint8_t { usual, small };
// The groups for which a ClientHello carries a key: the first one, and the first classical one, so that a broker
// without the hybrid needs no second round trip.
std::vector<uint16_t> key_shares(const std::vector<uint16_t>& groups, Hello hello = Hello::usual);

struct ClientOptions {
  Pem trusted;           // the CAs that issue the broker's certificate; used if verify_peer
  Pem certificate = {};  // relayd's own chain for it, leaf first; none if text is empty
  bool verify_peer = true;
  Versions versions = Versions::tls12_and_13;
  std::string name;               // DNS name or IP address that the broker's certificate must contain
  std::vector<std::string> alpn;  // RFC 7301; empty: no extension
  Pem revoked = {};               // CRLs; none if text is empty
  trust::Policy policy = {};      // for the broker's chain; purpose and name are set here
  // The key exchanges to offer, best first; in TLS 1.2 also the curves that a certificate may use.
  std::vector<uint16_t> groups = {};
  std::vector<uint16_t> ciphers = {};  // best first; empty: the default ones
};

struct ContextDeleter {
  void operator()(WOLFSSL_CTX* context) const;
};
using ContextPtr = std::unique_ptr<WOLFSSL_CTX, ContextDeleter>;

// The validators for listener and remote; null if verify_peer is not set.
std::unique_ptr<trust::Validator> make_validator(const ServerOptions& options);
std::unique_ptr<trust::Validator> make_validator(const ClientOptions& options);

class ServerContext {
 public:
  explicit ServerContext(const ServerOptions& options);
  // A wolfSSL context for each certificate; all have the same settings.
  struct Certificate {
    ContextPtr context;
    ipc::Spki spki{};
  };
  const std::vector<Certificate>& certificates() const { return certificates_; }
  const Certificate& certificate_for(std::string_view server_name) const {
    return certificates_[names_.find(server_name)];
  }
  trust::Validator* validator() const { return validator_.get(); }  // null: devices are asked for no certificate
  size_t max_record() const { return max_record_; }

 private:
  std::unique_ptr<trust::Validator> validator_;
  std::vector<Certificate> certificates_;
  ServerNames names_;
  size_t max_record_;
};

class ClientContext {
 public:
  explicit ClientContext(ClientOptions options);
  WOLFSSL_CTX* get() const { return context_.get(); }
  const ClientOptions& options() const { return options_; }
  // If true, no SNI is sent: it can't hold an address (RFC 6066 section 3).
  bool named_by_address() const { return named_by_address_; }
  const CertificateChain& certificate() const { return certificate_; }  // relayd's own; empty: none
  trust::Validator* validator() const { return validator_.get(); }      // null: any certificate is accepted
  bool has_small_hello() const;                                         // true: the usual one is large

 private:
  ClientOptions options_;
  bool named_by_address_;
  CertificateChain certificate_;
  std::unique_ptr<trust::Validator> validator_;
  ContextPtr context_;
};

}  // namespace relayd::tls
