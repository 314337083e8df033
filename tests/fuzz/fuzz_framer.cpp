// Input: a stream of packets in any pieces. The framer's result is the same as for the whole, and so is the CONNACK
// reader's.
#include "relayd/mqtt/connack.h"
#include "relayd/mqtt/framer.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/require.h"

namespace {

using State = mqtt::Framer::State;

void framer(mqtt::Version version, const Pieces& pieces) {
  constexpr uint32_t kLimit = 100'000;
  mqtt::Framer whole(version, kLimit), cut(version, kLimit);
  const auto fed = whole.feed(pieces.whole());
  REQUIRE(fed.good <= pieces.whole().size());
  size_t good = 0;
  State state = cut.state();
  pieces.each([&](mqtt::Bytes piece) {
    const auto part = cut.feed(piece);
    REQUIRE(part.good <= piece.size());
    good += part.good;
    state = part.state;
    return state == State::running;
  });
  REQUIRE(state == fed.state && whole.state() == cut.state());
  // A header that turns out to be bad may have begun in an earlier piece: up to four bytes of it have passed.
  const bool fault = state != State::running && state != State::disconnected;
  REQUIRE(good >= fed.good && good <= fed.good + (fault ? 4 : 0));
  REQUIRE(whole.first_type() == cut.first_type() && whole.connack_code() == cut.connack_code());
  REQUIRE(whole.largest_packet() == cut.largest_packet());
  for (uint8_t type = 0; type < 16; type++)
    REQUIRE(whole.packets(mqtt::PacketType{type}) == cut.packets(mqtt::PacketType{type}));
  if (!fault) REQUIRE(whole.at_boundary() == cut.at_boundary());
  REQUIRE(whole.largest_packet() <= kLimit);
}

void connack(const Pieces& pieces) {
  mqtt::ConnackReader whole, cut;
  whole.feed(pieces.whole());
  pieces.each([&](mqtt::Bytes piece) {
    cut.feed(piece);
    return true;
  });
  REQUIRE(whole.done() == cut.done() && whole.server_keep_alive() == cut.server_keep_alive());
  REQUIRE(whole.reason() == cut.reason() && whole.reason().size() <= mqtt::ConnackReader::kMostReason);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Pieces pieces({data, size});
  for (const auto version : {mqtt::Version::v3_1, mqtt::Version::v3_1_1, mqtt::Version::v5_0}) framer(version, pieces);
  connack(pieces);
  return 0;
}
