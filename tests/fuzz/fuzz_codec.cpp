// Any bytes as a datagram, in both directions. The decoders accept exactly what the encoders produce, so a decoded
// message encodes to the same bytes.
#include <algorithm>

#include "ipc/codec.h"
#include "tests/fuzz/require.h"

namespace {

using Bytes = std::span<const uint8_t>;

template <typename Message, typename Buffer>
void encodes_to(const Message& message, Buffer& out, Bytes expected) {
  const size_t size = ipc::encode(message, out);
  REQUIRE(size == expected.size() && std::equal(expected.begin(), expected.end(), out.begin()));
}

void request(Bytes datagram) {
  const auto decoded = ipc::decode_request(datagram);
  if (!decoded) return;
  ipc::RequestBuffer out;
  encodes_to(*decoded, out, datagram);
  const auto* sign = std::get_if<ipc::Sign>(&decoded->body);
  REQUIRE(datagram.size() <= ipc::kMaxRequest);
  const auto* lookup = sign ? &sign->key : std::get_if<ipc::Lookup>(&decoded->body);
  if (!lookup || !ipc::can_name_a_key(lookup->client_id)) return;
  const auto id = lookup->client_id;
  REQUIRE(!id.empty() && id != "." && id != ".." && id.size() + 4 <= 255);
  REQUIRE(id.find('/') == id.npos && id.find('\0') == id.npos);
}

template <typename Decoded, typename Encoder>
void payload_encodes_to(const Decoded& decoded, Encoder encode, Bytes expected) {
  if (!decoded) return;
  const auto out = encode(*decoded);
  REQUIRE(std::equal(expected.begin(), expected.end(), out.begin(), out.end()));
}

void response(Bytes datagram) {
  const auto decoded = ipc::decode_response(datagram);
  if (!decoded) return;
  ipc::ResponseBuffer out;
  encodes_to(*decoded, out, datagram);
  payload_encodes_to(ipc::decode_welcome(decoded->payload), ipc::encode_welcome, decoded->payload);
  payload_encodes_to(ipc::decode_counters(decoded->payload), ipc::encode_counters, decoded->payload);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  request({data, size});
  response({data, size});
  return 0;
}
