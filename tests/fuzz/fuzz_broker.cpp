// Input: a device's whole session with the built-in broker, in any pieces. The broker's answer is the same as to the
// whole, and never larger than its header promises.
#include <algorithm>

#include "relayd/mqtt/connect.h"
#include "relayd/session/empty_broker.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/require.h"

namespace {

using relayd::EmptyBroker;
using Kind = EmptyBroker::Outcome::Kind;

constexpr std::array<uint8_t, 16> kRandom{};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Pieces pieces({data, size});
  const auto stream = pieces.whole();
  const auto parsed = mqtt::parse_connect(stream);
  const auto* connect = std::get_if<mqtt::Connect>(&parsed);
  if (!connect) return 0;

  std::string whole_out, cut_out;
  EmptyBroker whole(*connect), cut(*connect);
  const auto accepted = whole.accept(kRandom, whole_out);
  REQUIRE(cut.accept(kRandom, cut_out).kind == accepted.kind && whole_out == cut_out);
  REQUIRE(accepted.kind == Kind::go_on ? !whole_out.empty() : whole_out.empty());
  if (accepted.kind != Kind::go_on) return 0;

  const size_t connack = whole_out.size();
  const auto rest = stream.subspan(connect->size);
  const auto outcome = whole.feed(rest, whole_out);
  REQUIRE(whole_out.size() - connack <= rest.size() * 5 / 4 + 5);
  REQUIRE((outcome.kind == Kind::failed) == !outcome.why.empty());

  size_t skipped = connect->size;
  EmptyBroker::Outcome last;
  pieces.each([&](mqtt::Bytes piece) {
    const size_t of_connect = std::min(skipped, piece.size());
    skipped -= of_connect;
    last = cut.feed(piece.subspan(of_connect), cut_out);
    return last.kind == Kind::go_on;
  });
  REQUIRE(last.kind == outcome.kind && last.why == outcome.why && cut_out == whole_out);
  return 0;
}
