// What all connections of one kind share: the certificate to show, the validator that judges the peers' chains,
// versions. Made once at start from PEM text (a worker opens no file). Errors are common::ConfigError and name the
// file. wolfSSL is given no CA: it makes the handshake and decides about no chain.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/trust/validator.h"
#include "relayd/handover/tls_choices.h"
#include "relayd/tls/certificate.h"

struct WOLFSSL_CTX;

namespace relayd::tls {

using trust::Pem;

struct ServerOptions {
  Pem certificate = {};  // chain, leaf first
  Pem trusted = {};      // issuers of the devices' certificates; used if verify_peer
  Pem revoked = {};      // CRLs; none if text is empty
  bool verify_peer = true;
  bool fail_if_no_peer_cert = true;
  Versions versions = Versions::tls12_and_13;
  trust::Policy policy = {};      // for the devices' chains, but for purpose and name
  size_t max_record = 16 * 1024;  // bytes; devices that ask for less by max_fragment_length get less
};

// A ClientHello with X25519MLKEM768's key has more than 1,400 bytes, which some middleboxes do not let through. A small
// one offers the same groups and brings a classical key only: a broker that prefers the hybrid asks for its key
// (HelloRetryRequest, RFC 8446 section 4.1.4), so that whoever drops large ones weakens nothing.
enum class Hello : uint8_t { usual, small };
// For which groups a ClientHello brings a key along: the first one, and the first classical one, so that a broker
// without the hybrid costs no second round trip.
std::vector<uint16_t> key_shares(const std::vector<uint16_t>& groups, Hello hello = Hello::usual);

struct ClientOptions {
  Pem trusted;  // issuers of the broker's certificate; used if verify_peer
  bool verify_peer = true;
  Versions versions = Versions::tls12_and_13;
  std::string name;               // DNS name or IP address that the broker's certificate must be for
  std::vector<std::string> alpn;  // RFC 7301; empty: no extension
  Pem revoked = {};               // CRLs; none if text is empty
  trust::Policy policy = {};      // for the broker's chain, but for purpose and name
  // Key exchanges offered, best first; in TLS 1.2 also the curves that a certificate may have.
  std::vector<uint16_t> groups = {};
};

struct ContextDeleter {
  void operator()(WOLFSSL_CTX* context) const;
};
using ContextPtr = std::unique_ptr<WOLFSSL_CTX, ContextDeleter>;

// The validators of listener and remote; null if verify_peer is not set.
std::unique_ptr<trust::Validator> make_validator(const ServerOptions& options);
std::unique_ptr<trust::Validator> make_validator(const ClientOptions& options);

class ServerContext {
 public:
  explicit ServerContext(const ServerOptions& options);
  WOLFSSL_CTX* get() const { return context_.get(); }
  const CertificateChain& certificate() const { return certificate_; }  // the leaf only
  trust::Validator* validator() const { return validator_.get(); }      // null: devices show no certificate
  size_t max_record() const { return max_record_; }

 private:
  ContextPtr context_;
  std::unique_ptr<trust::Validator> validator_;
  CertificateChain certificate_;
  size_t max_record_;
};

class ClientContext {
 public:
  explicit ClientContext(ClientOptions options);
  WOLFSSL_CTX* get() const { return context_.get(); }
  const ClientOptions& options() const { return options_; }
  // Addresses have no SNI (RFC 6066 section 3).
  bool named_by_address() const { return named_by_address_; }
  trust::Validator* validator() const { return validator_.get(); }  // null: any certificate will do
  bool has_small_hello() const;                                     // and the usual one is large

 private:
  ClientOptions options_;
  bool named_by_address_;
  std::unique_ptr<trust::Validator> validator_;
  ContextPtr context_;
};

}  // namespace relayd::tls
