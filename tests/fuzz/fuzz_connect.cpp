// Any bytes as the first packet of a device. No verdict except "more" changes as more of the input arrives, and every
// view points into the packet.
#include "relayd/mqtt/connect.h"
#include "relayd/mqtt/packets.h"
#include "tests/fuzz/require.h"

namespace {

void keeps_its_promises(const mqtt::Connect& connect, mqtt::Bytes in) {
  REQUIRE(connect.size <= in.size());
  REQUIRE(connect.client_id.size() <= 65535);
  const auto* id = reinterpret_cast<const uint8_t*>(connect.client_id.data());
  REQUIRE(connect.client_id.empty() || (id >= in.data() && id + connect.client_id.size() <= in.data() + connect.size));
  if (connect.will) REQUIRE(connect.will->qos <= 2);
}

bool same(const mqtt::ConnectResult& a, const mqtt::ConnectResult& b) {
  if (a.index() != b.index()) return false;
  if (const auto* bad = std::get_if<mqtt::BadConnect>(&a)) {
    const auto& other = std::get<mqtt::BadConnect>(b);
    return bad->error == other.error && bad->answer_as == other.answer_as && bad->why == other.why;
  }
  if (const auto* good = std::get_if<mqtt::Connect>(&a)) {
    const auto& other = std::get<mqtt::Connect>(b);
    return good->size == other.size && good->client_id == other.client_id && good->version == other.version;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const mqtt::Bytes in(data, size);
  const auto whole = mqtt::parse_connect(in, 4096);
  if (const auto* more = std::get_if<mqtt::NeedMore>(&whole)) REQUIRE(more->total == 0 || more->total > size);
  if (const auto* connect = std::get_if<mqtt::Connect>(&whole)) keeps_its_promises(*connect, in);
  if (const auto* bad = std::get_if<mqtt::BadConnect>(&whole)) {
    REQUIRE(!bad->why.empty());
    (void)mqtt::encode_connack(*bad);
  }
  for (size_t had = 0; had < size && had < 300; had++) {
    const auto part = mqtt::parse_connect(in.first(had), 4096);
    REQUIRE(std::holds_alternative<mqtt::NeedMore>(part) || same(part, whole));
  }
  return 0;
}
