// A client's handshake messages before its CertificateVerify, parsed. Strict and pure: views into the caller's bytes,
// nothing allocated, every length checked, each message at its one place, nothing after the last.
//
//   TLS 1.3  ClientHello | message_hash HelloRetryRequest ClientHello, ServerHello EncryptedExtensions
//            CertificateRequest Certificate CertificateVerify Finished, Certificate         (RFC 8446 section 4.4)
//   TLS 1.2  ClientHello, ServerHello Certificate [CertificateStatus] ServerKeyExchange CertificateRequest
//            ServerHelloDone, Certificate ClientKeyExchange                                  (RFC 5246 section 7.3)
//
// Resumption (no server's Certificate) and compressed certificates are refused: relayd offers neither.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ipc/protocol.h"

namespace keyd {

using Bytes = std::span<const uint8_t>;

inline constexpr size_t kMaxChain = 32;  // as trust::Validator::kMaxChain

// At least one certificate.
struct CertificateList {
  std::array<Bytes, kMaxChain> storage{};
  size_t size = 0;
  std::span<const Bytes> chain() const { return std::span(storage).first(size); }
  Bytes leaf() const { return storage[0]; }
};

struct Transcript {
  size_t hash_size = 0;  // TLS 1.3: of the cipher suite's hash; otherwise 0
  CertificateList server, client;
  Bytes client_random, server_random;
  // What the ClientHello asks for (after a HelloRetryRequest, the second ClientHello); empty: nothing. A name (RFC 6066
  // section 3); protocols (RFC 7301), each after its length.
  Bytes server_name, protocols;
  Bytes protocol;  // the server's choice; empty: none
  // What the server signed: TLS 1.3, the messages up to its Certificate; TLS 1.2, ServerECDHParams.
  Bytes server_signed;
  ipc::Scheme server_scheme{};  // as sent; may be any number
  Bytes server_signature;
};

// nullptr, or what is wrong with it, for the audit. `kind`: tls13_client_bound or tls12_client.
const char* parse_transcript(ipc::Kind kind, Bytes messages, Transcript& out);

}  // namespace keyd
