// Any bytes as a client's frames, in any pieces. The payload is never more than what came; payload, end and pong do not
// depend on how the bytes were cut; and nothing is written after a close frame.
#include <string>
#include <vector>

#include "relayd/websocket/frames.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/require.h"

using namespace relayd::websocket;

namespace {

constexpr uint64_t kMost = 2000;

struct Reading {
  Frames frames{kMost};
  std::vector<uint8_t> payload, pong;
  std::optional<Frames::End> end;

  bool take(std::span<const uint8_t> bytes) {
    const size_t before = payload.size();
    end = frames.decode(bytes, payload);
    REQUIRE(payload.size() - before <= bytes.size());
    return !end;
  }
  void finish() {
    frames.answer_ping(pong);
    REQUIRE(pong.size() <= 2 + 125 && !frames.owes_pong());
    std::vector<uint8_t> out;
    frames.close(end ? end->code : kGoingAway, out);
    REQUIRE(out.size() == 2 || out.size() == 4);
    REQUIRE(out[0] == 0x88 && out[1] == out.size() - 2);
    out.clear();
    frames.encode(payload, out);
    frames.close(kNormal, out);
    REQUIRE(out.empty());
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Pieces pieces({data, size});
  Reading whole, cut;
  whole.take(pieces.whole());
  pieces.each([&](auto piece) { return cut.take(piece); });
  REQUIRE(whole.payload == cut.payload);
  REQUIRE(whole.end.has_value() == cut.end.has_value());
  if (whole.end) REQUIRE(whole.end->code == cut.end->code && whole.end->fault == cut.end->fault);
  if (whole.end && whole.end->fault) REQUIRE(!whole.end->why.empty());
  whole.finish();
  cut.finish();
  REQUIRE(whole.pong == cut.pong);
  return 0;
}
