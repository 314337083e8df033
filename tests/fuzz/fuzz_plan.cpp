// Any bytes as what crosses between supervisor, worker, connector and inspector: plans, an order, an inspector's
// findings, revocations, a report of names, a worker's question and its answer. Decoders accept exactly what the
// encoders produce, so a decoded message encodes to the same bytes.
#include "common/program.h"
#include "relayd/handover/archive.h"
#include "relayd/handover/channel.h"
#include "relayd/handover/connector_plan.h"
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

template <typename Decode>
void on_channel(std::string_view bytes, Decode decode) {
  const std::span datagram(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (const auto message = decode(datagram)) {
    const auto again = relayd::channel::encode(*message);
    REQUIRE(std::equal(again.begin(), again.end(), datagram.begin(), datagram.end()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0: handed_over<relayd::Plan>(bytes); break;
    case 1: handed_over<relayd::Revocations>(bytes); break;
    case 2: round_trip(bytes, relayd::Order::decode, [](const relayd::Order& order) { return order.encode(); }); break;
    case 3:
      round_trip(bytes, relayd::Findings::decode, [](const relayd::Findings& findings) { return findings.encode(); });
      break;
    case 4: handed_over<relayd::ConnectorPlan>(bytes); break;
    case 5:
      round_trip(bytes, relayd::NamesReport::decode, [](const relayd::NamesReport& report) { return report.encode(); });
      break;
    case 6: on_channel(bytes, relayd::channel::decode_question); break;
    case 7: on_channel(bytes, relayd::channel::decode_answer); break;
  }
  return 0;
}
