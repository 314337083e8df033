// The client's half of the codec: encodes requests and decodes keyd's answers. keyd links only the other half.
#include <variant>

#include "ipc/codec.h"
#include "ipc/wire.h"

namespace ipc {
namespace {

constexpr std::array kStatuses{Status::ok,   Status::not_found, Status::mismatch, Status::unusable,  Status::denied,
                               Status::busy, Status::malformed, Status::internal, Status::superseded};

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

bool flag(Reader& in) {
  const auto value = in.integer<uint8_t>();
  in.must(value <= 1);
  return value == 1;
}

void put(Writer& out, const Hello& hello) {
  out.integer(hello.version).integer(hello.worker).integer(hello.timeout_ms).integer(hello.series);
}

void put_key(Writer& out, const Lookup& lookup) {
  out.integer(lookup.role).raw(lookup.spki);
  out.integer(lookup.origin.session).raw(lookup.origin.device_ip).integer(lookup.origin.device_port);
  out.counted<uint8_t>(bytes_of(lookup.client_id), kMaxClientId);
}

void put(Writer& out, const Lookup& lookup) {
  put_key(out, lookup);
  out.counted<uint16_t>(bytes_of(lookup.spellings), kMaxSpellings).integer(lookup.proof.presence);
  if (lookup.proof.presence == Presence::none) return;
  out.integer(lookup.proof.scheme).counted<uint16_t>(lookup.proof.signature, kMaxSignature);
  out.counted<uint16_t>(lookup.proof.messages, kMaxTranscript);
}

void put(Writer& out, const Sign& sign) {
  put_key(out, sign.key);
  out.integer(sign.kind).integer(sign.scheme);
  out.counted<uint16_t>(sign.content, content_limit(sign.kind));
}

void put(Writer&, std::monostate) {}

}  // namespace

size_t encode(const Request& request, RequestBuffer& out) {
  Writer writer(out);
  writer.integer(request.op()).integer(uint8_t{0}).integer(request.id);
  std::visit([&](const auto& body) { put(writer, body); }, request.body);
  return writer.size();
}

std::optional<Response> decode_response(std::span<const uint8_t> datagram) {
  Reader in(datagram);
  Response response;
  response.status = in.closed(kStatuses);
  in.must(in.integer<uint8_t>() == 0);
  response.id = in.integer<uint32_t>();
  response.retry_after_ms = in.integer<uint32_t>();
  response.payload = in.counted<uint16_t>(kMaxSignature);
  return in.done() ? std::optional(response) : std::nullopt;
}

std::optional<Welcome> decode_welcome(std::span<const uint8_t> payload) {
  Reader in(payload);
  Welcome welcome;
  welcome.version = in.integer<uint16_t>();
  welcome.bind_remote = flag(in);
  welcome.require_presence = flag(in);
  in.raw(welcome.mark);
  return in.done() ? std::optional(welcome) : std::nullopt;
}

std::optional<Counters> decode_counters(std::span<const uint8_t> payload) {
  Reader in(payload);
  Counters counters;
  counters.lookups = in.integer<uint64_t>();
  counters.signatures = in.integer<uint64_t>();
  counters.refusals = in.integer<uint64_t>();
  counters.cached_keys = in.integer<uint64_t>();
  counters.given_up = in.integer<uint64_t>();
  counters.degraded = flag(in);
  counters.notary_away = flag(in);
  in.raw(counters.mark);
  return in.done() ? std::optional(counters) : std::nullopt;
}

}  // namespace ipc
