// Any bytes as what crosses between supervisor, worker and inspector: a plan, an order, an inspector's findings,
// revocations. Decoders accept exactly what the encoders produce, so a decoded message encodes to the same bytes.
#include "common/program.h"
#include "relayd/handover/archive.h"
#include "relayd/handover/findings.h"
#include "relayd/handover/plan.h"
#include "tests/fuzz/require.h"

namespace {

template <typename Decode, typename Encode>
void round_trip(std::string_view bytes, Decode decode, Encode encode) {
  try {
    REQUIRE(encode(decode(bytes)) == bytes);
  } catch (const relayd::BadArchive&) {
  }
}

// A memory file with the input, for decoders that read from one.
template <typename Handed>
void handed_over(std::string_view bytes) {
  round_trip(
      bytes, [](std::string_view text) { return Handed::from_memfd(common::sealed(text).get()); },
      [](const Handed& value) { return common::read_sealed(value.to_memfd().get()); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: handed_over<relayd::Plan>(bytes); break;
    case 1: handed_over<relayd::Revocations>(bytes); break;
    case 2: round_trip(bytes, relayd::Order::decode, [](const relayd::Order& order) { return order.encode(); }); break;
    case 3:
      round_trip(bytes, relayd::Findings::decode, [](const relayd::Findings& findings) { return findings.encode(); });
      break;
  }
  return 0;
}
