// The only encoder and decoder of the protocol (protocol.h has the layout). Pure: no I/O, no allocation. keyd's half is
// codec.cpp, its clients' half is client_codec.cpp; the tests send every message through both.
//
// Decoders return views into the caller's bytes: a decoded message lives no longer than the datagram. They accept
// exactly what the encoders make: known enum values, zero reserved bytes, lengths that add up to the datagram's end.
#pragma once

#include <optional>
#include <variant>

#include "ipc/protocol.h"

namespace ipc {

struct Request {
  uint32_t id = 0;
  std::variant<Hello, Lookup, Sign, std::monostate /* STATS */> body;
  Op op() const { return static_cast<Op>(body.index() + 1); }
};

struct Response {
  uint32_t id = 0;
  Status status = Status::internal;
  uint32_t retry_after_ms = 0;  // busy only
  std::span<const uint8_t> payload;
};

using RequestBuffer = std::array<uint8_t, kMaxRequest>;
using ResponseBuffer = std::array<uint8_t, kMaxResponse>;

// Bytes written to the front of `out`; 0 if a field exceeds its bound (a client id, a content, a payload).
size_t encode(const Request& request, RequestBuffer& out);
size_t encode(const Response& response, ResponseBuffer& out);

std::optional<Request> decode_request(std::span<const uint8_t> datagram);
std::optional<Response> decode_response(std::span<const uint8_t> datagram);

// The payloads of HELLO and STATS.
inline constexpr size_t kWelcomeSize = 12, kCountersSize = 50;
std::array<uint8_t, kWelcomeSize> encode_welcome(const Welcome& welcome);
std::optional<Welcome> decode_welcome(std::span<const uint8_t> payload);
std::array<uint8_t, kCountersSize> encode_counters(const Counters& counters);
std::optional<Counters> decode_counters(std::span<const uint8_t> payload);

// The most bytes in the content of a SIGN.
constexpr size_t content_limit(Kind kind) {
  return kind == Kind::tls13_client_bound || kind == Kind::tls12_client ? kMaxTranscript : kMaxContent;
}

// The rule "the file name is exactly ${clientid}.pem": false for ids that no file name can be made of — empty,
// '/', NUL and other control bytes, "." and "..", longer than kMaxClientId. Such an id has no key.
bool can_name_a_key(std::string_view client_id);

}  // namespace ipc
