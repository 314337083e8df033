#include "keyd/vault/policy.h"

namespace keyd {
namespace {

using common::tls::Family;
using ipc::Kind;
using ipc::Role;
using ipc::Scheme;
using ipc::Status;
using Bytes = std::span<const uint8_t>;

constexpr Verdict kOk{};
constexpr Verdict denied(const char* reason) { return {Status::denied, reason}; }

bool is_server(Kind kind) { return kind == Kind::tls13_server || kind == Kind::tls12_server; }

Verdict scheme_fits(Scheme scheme, Kind kind, KeyType key) {
  const auto facts = facts_of(scheme);
  if (fits(facts, key, is_tls13(kind))) return kOk;
  if (is_tls13(kind) && facts.family == Family::rsa_pkcs1)
    return denied("PKCS#1 v1.5 is not for TLS 1.3 handshakes");  // RFC 8446 4.2.3
  if (fits(facts, key, false)) return denied("in TLS 1.3 this scheme belongs to another curve");
  return denied(facts.family == Family::ecdsa     ? "the key is not ECDSA"
                : facts.family == Family::ed25519 ? "the key is not Ed25519"
                                                  : "the key is not RSA");
}

// client_random ‖ server_random ‖ ServerECDHParams (RFC 8422 5.4): curve_type, named curve, point, and nothing else.
// The 3 at byte 64 distinguishes this from TLS 1.3, whose content has a letter there (RFC 8446 4.4.3).
Verdict is_server_key_exchange(Bytes content) {
  constexpr size_t kRandoms = 64, kHead = 4;
  if (content.size() < kRandoms + kHead) return denied("too short for a ServerKeyExchange");
  const Bytes params = content.subspan(kRandoms);
  if (params[0] != 3) return denied("the curve is not a named one");
  size_t point = 0;
  switch (params[1] << 8 | params[2]) {
    case 0x0017: point = 65; break;   // secp256r1, uncompressed point
    case 0x0018: point = 97; break;   // secp384r1
    case 0x0019: point = 133; break;  // secp521r1
    case 0x001d: point = 32; break;   // x25519
    default: return denied("unknown named curve");
  }
  if (params[3] != point || params.size() != kHead + point) return denied("the point's length is not its curve's");
  return point == 32 || params[kHead] == 4 ? kOk : denied("the point is not an uncompressed one");
}

Verdict content_fits(Kind kind, Bytes content) {
  switch (kind) {
    case Kind::tls13_server:
    case Kind::tls13_client:  // the hash of the cipher suite: SHA-256 or SHA-384, whatever the scheme's
      return content.size() == 32 || content.size() == 48 ? kOk : denied("a transcript hash has 32 or 48 bytes");
    case Kind::tls12_server: return is_server_key_exchange(content);
    case Kind::tls12_client:
    case Kind::tls13_client_bound: break;
  }
  const char* problem = why_not_transcript(is_tls13(kind), content);
  return problem ? denied(problem) : kOk;
}

}  // namespace

const char* name(KeyType type) {
  static constexpr const char* kNames[] = {"RSA", "P-256", "P-384", "P-521", "Ed25519"};  // in KeyType's order
  static_assert(std::size(kNames) == static_cast<size_t>(KeyType::ed25519) + 1);
  return kNames[static_cast<size_t>(type)];
}

bool is_tls13(Kind kind) {
  return kind == Kind::tls13_server || kind == Kind::tls13_client || kind == Kind::tls13_client_bound;
}

Message next_message(Bytes& messages) {
  if (messages.size() < 4) return {};
  const size_t length = messages[1] << 16 | messages[2] << 8 | messages[3];
  if (length > messages.size() - 4) return {};
  const Message message{messages[0], messages.subspan(4, length)};
  messages = messages.subspan(4 + length);
  return message;
}

const char* why_not_transcript(bool tls13, Bytes messages) {
  constexpr uint8_t kClientHello = 1, kCertificate = 11, kClientKeyExchange = 16, kMessageHash = 254;
  if (messages.empty() || (messages[0] != kClientHello && !(tls13 && messages[0] == kMessageHash)))
    return "the transcript does not begin with a ClientHello";
  Message last;
  while (!messages.empty())
    if (last = next_message(messages); last.type == 0) return "the transcript ends in the middle of a message";
  if (tls13) return last.type == kCertificate ? nullptr : "the transcript does not end with a Certificate";
  return last.type == kClientKeyExchange ? nullptr : "the transcript does not end with a ClientKeyExchange";
}

Verdict may_ask(const ipc::Lookup& lookup) {
  if (lookup.role == Role::device) return kOk;
  if (lookup.proof.presence != ipc::Presence::none) return denied("only a device needs a proof");
  return lookup.client_id.empty() ? kOk : denied("only a device's key has a client id");
}

Verdict may_ask(const ipc::Sign& sign, const Rules& rules) {
  if (is_server(sign.kind) != (sign.key.role == Role::listener))
    return denied("the role does not sign handshakes of this kind");
  const bool bound = rules.bind_remote && sign.key.role == Role::device;
  if (sign.kind == Kind::tls13_client && bound)
    return denied("bind_remote is set: the handshake messages are needed, not their hash");
  if (sign.kind == Kind::tls13_client_bound && !bound)
    return denied("bind_remote is not set: the hash is needed, not the handshake messages");
  if (sign.kind == Kind::tls12_client && !rules.allow_tls12_client) return denied("allow_tls12_client is false");
  return may_ask(sign.key);
}

Verdict may_look_up(const ipc::Lookup& lookup, const KeyInfo& key, bool own_key) {
  if (!key.is_of(lookup.spki)) return {Status::mismatch, "the key is not the certificate's"};
  const auto [presence, scheme, signature, messages] = lookup.proof;
  if (!own_key && presence != ipc::Presence::none &&
      !fits(facts_of(scheme), key.type, presence != ipc::Presence::tls12))
    return denied("the scheme of the device's signature does not fit this key");
  return kOk;
}

Verdict may_sign(const ipc::Sign& sign, const KeyInfo& key) {
  if (const Verdict verdict = may_look_up(sign.key, key); !verdict) return verdict;
  if (const Verdict verdict = scheme_fits(sign.scheme, sign.kind, key.type); !verdict) return verdict;
  return content_fits(sign.kind, sign.content);
}

}  // namespace keyd
