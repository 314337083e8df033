// What all connections of one kind share: certificates to show, certificates to trust, versions. Made once at start
// from PEM text (a worker opens no file), never changed. Errors are common::ConfigError and name the file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "relayd/tls/certificate.h"

struct WOLFSSL_CTX;

namespace relayd::tls {

// PEM text, and for errors the file it was read from (with the setting that names it); both empty: none.
struct Pem {
  std::string file, text;
};

// The PEM blocks of a text that are of one kind, "CERTIFICATE" or "X509 CRL"; common::ConfigError if there is none, or
// one that does not end. wolfSSL is given one at a time: of a bundle it takes only the first CRL, and leaves out
// certificates that it can't use without a word.
std::vector<std::string_view> pem_blocks(const Pem& pem, const std::string& label);

enum class Versions { tls12, tls13, tls12_and_13 };

struct ServerOptions {
  Pem certificate = {};  // chain, leaf first
  Pem trusted = {};      // issuers of the devices' certificates; used if verify_peer
  Pem revoked = {};      // CRLs; none if text is empty
  bool verify_peer = true;
  bool fail_if_no_peer_cert = true;
  Versions versions = Versions::tls12_and_13;
};

struct ClientOptions {
  Pem trusted;  // issuers of the broker's certificate; used if verify_peer
  bool verify_peer = true;
  Versions versions = Versions::tls12_and_13;
  std::string name;               // DNS name or IP address that the broker's certificate must be for
  std::vector<std::string> alpn;  // RFC 7301; empty: no extension
};

struct ContextDeleter {
  void operator()(WOLFSSL_CTX* context) const;
};
using ContextPtr = std::unique_ptr<WOLFSSL_CTX, ContextDeleter>;

// Who issued devices' certificates, and which of these they revoked. common::ConfigError.
ContextPtr make_authorities(const Pem& trusted, const Pem& revoked);

class ServerContext {
 public:
  explicit ServerContext(const ServerOptions& options);
  WOLFSSL_CTX* get() const { return context_.get(); }
  const CertificateChain& certificate() const { return certificate_; }  // the leaf only

 private:
  ContextPtr context_;
  CertificateChain certificate_;
};

class ClientContext {
 public:
  explicit ClientContext(ClientOptions options);
  WOLFSSL_CTX* get() const { return context_.get(); }
  const ClientOptions& options() const { return options_; }

 private:
  ClientOptions options_;
  ContextPtr context_;
};

}  // namespace relayd::tls
