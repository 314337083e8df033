// Real handshakes that OpenSSL makes in memory, as a client's transcripts. One file can't include OpenSSL's headers and
// wolfSSL's, so this interface includes neither; keyd_handshakes.cpp has OpenSSL's side.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ipc/protocol.h"

namespace witness {

struct Certificate {
  std::shared_ptr<void> x509, key;
  std::string pem() const, key_pem() const;
  std::vector<uint8_t> der() const;
  ipc::Spki spki() const;
};

struct CertificateOptions {
  std::string names = "DNS:broker.example";  // subjectAltName
  std::string key = "P-256";                 // "RSA:2048", "P-384", "ED25519"
  std::string constraints = "CA:FALSE";      // basicConstraints
  std::string usage = {}, extended_usage = {};
  int from_days = -1, to_days = 10;
  std::string common_name = "test";
  const Certificate* of = nullptr;  // it gets this certificate's key; nullptr: a new key
  bool compressed = false;          // its elliptic point
};

// Signed by `issuer`, or by itself.
Certificate issue(const CertificateOptions& options, const Certificate* issuer = nullptr);
Certificate authority(const std::string& name, const Certificate* issuer = nullptr,
                      const std::string& constraints = "CA:TRUE");

struct HandshakeOptions {
  bool tls13 = true, retry = false;
  std::string suite = {};                             // OpenSSL's name; empty: its choice
  std::string server_schemes = {};                    // OpenSSL's names; empty: its choice
  std::vector<Certificate> server = {}, client = {};  // leaf first
  ipc::Mark mark = {};                                // the first bytes of the hellos' randoms
  std::string server_name = "broker.example";         // the client's SNI; empty: none
  std::vector<std::string> alpn = {};                 // what the client offers; the server takes the last
};

struct Recorded {
  ipc::Kind kind{};
  std::vector<std::vector<uint8_t>> messages;  // what the client's CertificateVerify signs
  std::vector<uint8_t> client_signature;
  uint16_t client_scheme = 0;
  size_t hash_size = 0;  // TLS 1.3: of the cipher suite's hash; otherwise 0

  std::vector<uint8_t> transcript() const;
};

// Throws std::runtime_error if OpenSSL's client or server does not finish.
Recorded handshake(const HandshakeOptions& options);
// True if the client's own signature covers these messages, so that they are a transcript at all. P-256 only.
bool is_signed_by(const Certificate& client, const Recorded& recorded);

}  // namespace witness
