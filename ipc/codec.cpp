#include "ipc/codec.h"

#include <algorithm>

#include "ipc/wire.h"

namespace ipc {
namespace {

constexpr std::array kOps{Op::hello, Op::lookup, Op::sign, Op::stats};
constexpr std::array kRoles{Role::listener, Role::device, Role::local};
constexpr std::array kKinds{Kind::tls13_server, Kind::tls13_client, Kind::tls12_server, Kind::tls12_client,
                            Kind::tls13_client_bound};
constexpr std::array kPresences{Presence::none, Presence::tls12, Presence::tls13_sha256, Presence::tls13_sha384};

std::string_view text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Lookup get_key(Reader& in) {
  Lookup lookup;
  lookup.role = in.closed(kRoles);
  in.raw(lookup.spki);
  lookup.origin.session = in.integer<uint64_t>();
  in.raw(lookup.origin.device_ip);
  lookup.origin.device_port = in.integer<uint16_t>();
  lookup.client_id = text_of(in.counted<uint8_t>(kMaxClientId));
  return lookup;
}

Scheme get_scheme(Reader& in) {
  const auto scheme = static_cast<Scheme>(in.integer<uint16_t>());
  in.must(facts_of(scheme).family != common::tls::Family::none);
  return scheme;
}

Proof get_proof(Reader& in) {
  Proof proof;
  proof.presence = in.closed(kPresences);
  if (proof.presence == Presence::none) return proof;
  proof.scheme = get_scheme(in);
  proof.signature = in.counted<uint16_t>(kMaxSignature);
  proof.messages = in.counted<uint16_t>(kMaxTranscript);
  return proof;
}

Lookup get_lookup(Reader& in) {
  Lookup lookup = get_key(in);
  lookup.spellings = text_of(in.counted<uint16_t>(kMaxSpellings));
  lookup.proof = get_proof(in);
  return lookup;
}

Sign get_sign(Reader& in) {
  Sign sign;
  sign.key = get_key(in);
  sign.kind = in.closed(kKinds);
  sign.scheme = get_scheme(in);
  sign.content = in.counted<uint16_t>(content_limit(sign.kind));
  return sign;
}

Hello get_hello(Reader& in) {
  Hello hello;
  hello.version = in.integer<uint16_t>();
  hello.worker = in.integer<uint16_t>();
  hello.timeout_ms = in.integer<uint32_t>();
  hello.series = in.integer<uint64_t>();
  return hello;
}

}  // namespace

size_t encode(const Response& response, ResponseBuffer& out) {
  Writer writer(out);
  writer.integer(response.status).integer(uint8_t{0}).integer(response.id).integer(response.retry_after_ms);
  writer.counted<uint16_t>(response.payload, kMaxSignature);
  return writer.size();
}

std::optional<Request> decode_request(std::span<const uint8_t> datagram) {
  Reader in(datagram);
  Request request;
  const Op op = in.closed(kOps);
  in.must(in.integer<uint8_t>() == 0);
  request.id = in.integer<uint32_t>();
  switch (op) {
    case Op::hello: request.body = get_hello(in); break;
    case Op::lookup: request.body = get_lookup(in); break;
    case Op::sign: request.body = get_sign(in); break;
    case Op::stats: request.body = std::monostate{}; break;
  }
  return in.done() ? std::optional(request) : std::nullopt;
}

std::array<uint8_t, kWelcomeSize> encode_welcome(const Welcome& welcome) {
  std::array<uint8_t, kWelcomeSize> out{};
  Writer writer(out);
  writer.integer(welcome.version).integer(static_cast<uint8_t>(welcome.bind_remote));
  writer.integer(static_cast<uint8_t>(welcome.require_presence)).raw(welcome.mark);
  return out;
}

std::array<uint8_t, kCountersSize> encode_counters(const Counters& counters) {
  std::array<uint8_t, kCountersSize> out{};
  Writer writer(out);
  writer.integer(counters.lookups).integer(counters.signatures).integer(counters.refusals);
  writer.integer(counters.cached_keys).integer(counters.given_up);
  writer.integer(static_cast<uint8_t>(counters.degraded)).integer(static_cast<uint8_t>(counters.notary_away));
  writer.raw(counters.mark);
  return out;
}

bool can_name_a_key(std::string_view client_id) {
  if (client_id.empty() || client_id.size() > kMaxClientId || client_id == "." || client_id == "..") return false;
  return std::none_of(client_id.begin(), client_id.end(), [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte < 0x20 || byte == 0x7f || c == '/';
  });
}

namespace {

// Enum values of one byte begin at `first`.
template <typename Enum, size_t N>
const char* nth(Enum value, const char* const (&names)[N], size_t first) {
  const size_t index = static_cast<size_t>(value) - first;
  return index < N ? names[index] : "?";
}

}  // namespace

const char* name(Op op) { return nth(op, {"hello", "lookup", "sign", "stats"}, 1); }

const char* name(Status status) {
  return nth(status,
             {"ok", "not_found", "mismatch", "unusable", "denied", "busy", "malformed", "internal", "superseded"}, 0);
}

const char* name(Role role) { return nth(role, {"listener", "device", "local"}, 1); }

const char* name(Kind kind) {
  return nth(kind, {"tls13_server", "tls13_client", "tls12_server", "tls12_client", "tls13_client_bound"}, 1);
}

}  // namespace ipc
