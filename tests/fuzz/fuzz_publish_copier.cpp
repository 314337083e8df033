// Any bytes as what a device sends: the copies do not depend on how the bytes are cut, and are whole PUBLISH packets at
// QoS 0 that this codec itself accepts.
#include <algorithm>

#include "relayd/mqtt/fixed_header.h"
#include "relayd/mqtt/publish_copier.h"
#include "tests/fuzz/require.h"

using namespace mqtt;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto version = static_cast<Version>(3 + data[0] % 3);
  const size_t piece = 1 + data[1];
  const Bytes in(data + 2, size - 2);
  PublishCopier at_once(version, "p/", 200), cut(version, "p/", 200);
  std::vector<uint8_t> whole, parts;
  at_once.feed(in, whole);
  for (size_t at = 0; at < in.size(); at += piece) cut.feed(in.subspan(at, std::min(piece, in.size() - at)), parts);
  REQUIRE(whole == parts);
  const auto counts = at_once.take_counts();
  REQUIRE(counts.copied == cut.take_counts().copied);

  uint64_t packets = 0;
  for (Bytes rest(whole); !rest.empty(); packets++) {
    FixedHeader header;
    size_t at = 0;
    while (header.push(rest[at++]) == FixedHeader::Status::more) {
    }
    REQUIRE(header.type() == PacketType::publish && (header.flags() & 0x0E) == 0 &&
            header.packet_size() <= rest.size());
    const auto body = rest.subspan(at, header.remaining());
    const auto copy = parse_publish(Version::v5_0, header.flags(), body, header.remaining());
    const auto* publish = std::get_if<Publish>(&copy);
    REQUIRE(publish && publish->topic.starts_with("p/") && publish->topic_alias == 0);
    rest = rest.subspan(header.packet_size());
  }
  REQUIRE(packets == counts.copied);
  return 0;
}
