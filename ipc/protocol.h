// The keyd protocol, version 4: everything a worker can say to keyd, and everything keyd can answer.
//
// Transport: AF_UNIX, SOCK_SEQPACKET. One datagram is one message; a datagram with too few or too many bytes is
// malformed. Integers are big-endian, fields have a fixed width, except the last ones, which follow their length.
//
//   request   op:1 reserved:1(0) id:4 body
//     HELLO     version:2 worker:2 timeout_ms:4 series:8
//     LOOKUP    role:1 spki:32 session:8 device_ip:16 device_port:2 client_id_len:1 client_id
//               spellings_len:2 spellings proof
//       proof   presence:1, and unless that is 0: scheme:2 signature_len:2 signature messages_len:2 messages
//     SIGN      <as LOOKUP up to client_id> kind:1 scheme:2 content_len:2 content
//     STATS     (empty)
//   response  status:1 reserved:1(0) id:4 retry_after_ms:4 payload_len:2 payload
//     payload   HELLO: version:2 bind_remote:1 require_presence:1 mark:8   SIGN: the signature   STATS: see Counters
//               LOOKUP, not_found: the first of `spellings` that has a file   otherwise empty
//
// HELLO is the first request of a connection. Answers may come in any order; `id` is the request's own. A malformed
// request costs its sender the connection. What each kind of content must be is policy (keyd), not codec.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/tls/handshake_signature.h"

namespace ipc {

inline constexpr uint16_t kVersion = 4;

// A file name has at most 255 bytes (NAME_MAX), four of them are ".pem".
inline constexpr size_t kMaxClientId = 251;
inline constexpr size_t kMaxSpellings = 600;
// Everything fits into 2 KiB except a handshake's messages, which contain two certificate chains.
inline constexpr size_t kMaxContent = 256;
inline constexpr size_t kMaxTranscript = 32 * 1024;
inline constexpr size_t kMaxSignature = 512;  // RSA-4096
inline constexpr size_t kMaxRequest = 2 * 1024 + kMaxTranscript;
inline constexpr size_t kMaxResponse = 1024;
inline constexpr uint32_t kMaxTimeoutMs = 600'000;

enum class Op : uint8_t { hello = 1, lookup = 2, sign = 3, stats = 4 };

enum class Status : uint8_t {
  ok = 0,
  not_found = 1,   // no key of that name
  mismatch = 2,    // there is one, but it is not the key of the certificate
  unusable = 3,    // there is one, but its file can't be used (keyd's log says why)
  denied = 4,      // this peer, role, scheme or length is not allowed
  busy = 5,        // too many requests; retry_after_ms says when
  malformed = 6,   // not a message of this protocol; the connection ends
  internal = 7,    // keyd failed, or could not write its audit line
  superseded = 8,  // SIGN only: a newer connection of the device has been proved
};

enum class Role : uint8_t {
  listener = 1,  // one of relayd's own keys; signs as a TLS server
  device = 2,    // ${clientid}.pem; signs as a TLS client
  local = 3,     // relayd's own key for the local broker; signs as a TLS client
};

// What is signed, and so which content keyd expects and what it composes around it.
enum class Kind : uint8_t {
  tls13_server = 1,  // Transcript-Hash, 32 or 48 bytes; keyd composes RFC 8446 section 4.4.3
  tls13_client = 2,  // the same, with the client's context string
  tls12_server = 3,  // client_random ‖ server_random ‖ ServerECDHParams; keyd hashes (RFC 8422 section 5.4)
  tls12_client = 4,  // the handshake messages up to ClientKeyExchange; keyd hashes (RFC 5246 section 7.4.8)
  // The handshake messages up to the client's Certificate instead of their hash, so that keyd can tell which server
  // they belong to. They begin with a ClientHello, or after a HelloRetryRequest with message_hash (RFC 8446
  // section 4.4.1).
  tls13_client_bound = 5,
};

// What proves that the device is there: its own handshake with the listener.
enum class Presence : uint8_t {
  none = 0,
  tls12 = 1,         // the messages go up to its ClientKeyExchange
  tls13_sha256 = 2,  // the messages go up to its Certificate; the cipher suite's hash is SHA-256
  tls13_sha384 = 3,
};
// Signatures that one proof is good for. relayd tries at most this number of connections to the remote for a session.
inline constexpr size_t kMaxTries = 3;

using common::tls::Scheme;

// SHA-256 of a certificate's DER SubjectPublicKeyInfo (RFC 7469 section 2.4).
using Spki = std::array<uint8_t, 32>;

// Whose handshake the request belongs to, in the worker's words: for the audit. Proofs are bound to `session`.
struct Origin {
  uint64_t session = 0;                 // relayd's number of the session; shown as 16 hexadecimal digits
  std::array<uint8_t, 16> device_ip{};  // IPv6, or IPv4 mapped into it; all zero: none
  uint16_t device_port = 0;
};

struct Hello {
  uint16_t version = kVersion;
  uint16_t worker = 0;  // slot number
  // How long the peer waits for an answer: keyd does no work for a peer that has given up. At most kMaxTimeoutMs.
  uint32_t timeout_ms = 5000;
  // Names one generation of one relayd's workers. Their connector sends HELLO with it and the worker's number, then
  // hands the connection over. A worker has one connection, and its requests share a rate, a queue and a turn, whatever
  // process connected. 0: a process that speaks for itself.
  uint64_t series = 0;
};

// keyd's answers to HELLO and STATS carry the newest mark. The random of each ServerHello to a device begins with it: a
// proof that contains a mark was made after keyd gave it out.
using Mark = std::array<uint8_t, 8>;

// keyd's answer to HELLO.
struct Welcome {
  uint16_t version = kVersion;
  bool bind_remote = false;      // in TLS 1.3, device keys sign tls13_client_bound only
  bool require_presence = true;  // device keys sign only for sessions whose LOOKUP had a proof
  Mark mark{};
};

// The device's handshake messages before its CertificateVerify, as they are hashed, and the fields of its
// CertificateVerify. The messages contain a signature that keyd made as listener, so the device's signature over them
// is fresh, and is for this listener.
struct Proof {
  Presence presence = Presence::none;
  Scheme scheme{};
  std::span<const uint8_t> signature{}, messages{};
};

struct Lookup {
  Role role = Role::device;
  Spki spki{};
  Origin origin;
  std::string_view client_id;  // at most kMaxClientId bytes, any bytes; empty for relayd's own keys
  // LOOKUP only: other ways to write the client id, each followed by '/'. If the id has no key, but one of
  // these has a file, the log tells the operator; keyd never uses that file for the id.
  std::string_view spellings = {};
  // LOOKUP only, with a device's key. Binds the handshake to worker, session, certificate and client id, for the SIGNs
  // that follow. The time of the listener's signature in it says which connection of a device is its newest.
  Proof proof{};
};

struct Sign {
  Lookup key;
  Kind kind{};
  Scheme scheme{};
  std::span<const uint8_t> content;
};

struct Counters {
  uint64_t lookups = 0;
  uint64_t signatures = 0;
  uint64_t refusals = 0;
  uint64_t cached_keys = 0;
  uint64_t given_up = 0;     // requests dropped because their peer had gone or had stopped waiting
  bool degraded = false;     // the audit can't be written: nothing leaves until it can
  bool notary_away = false;  // it died or hangs: with bind_remote no device's key signs
  Mark mark{};
};

const char* name(Op op);
const char* name(Status status);
const char* name(Role role);
const char* name(Kind kind);
using common::tls::name;  // of a Scheme

}  // namespace ipc
