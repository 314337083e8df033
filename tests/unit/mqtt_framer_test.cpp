// The framer finds every packet boundary, however the stream is cut, and never passes a bad byte as good.
#include <algorithm>
#include <array>
#include <random>

#include "relayd/mqtt/framer.h"
#include "tests/unit/catch.h"
#include "tests/unit/mqtt_bytes.h"

using namespace mqtt_test;
using mqtt::Framer;
using mqtt::PacketType;
using mqtt::Version;
using State = mqtt::Framer::State;

namespace {

using Counts = std::array<std::uint64_t, 16>;  // packets by type

struct Run {
  Framer framer;
  std::size_t good = 0;

  State feed(std::span<const std::uint8_t> piece) {
    const ExactCopy copy(piece);
    const auto fed = framer.feed(copy.span());
    REQUIRE(fed.good <= piece.size());
    REQUIRE((fed.state != State::running || fed.good == piece.size()));
    REQUIRE(fed.state == framer.state());
    good += fed.good;
    REQUIRE(framer.bytes() == good);
    return fed.state;
  }
  Counts packets() const {
    Counts counts{};
    for (std::size_t type = 0; type < counts.size(); ++type)
      counts[type] = framer.packets(static_cast<PacketType>(type));
    return counts;
  }
};

// A stream, and the packets that the framer must find in it.
struct Stream {
  Octets bytes{};
  Counts packets{};
  std::vector<std::size_t> boundaries{0};

  void add(PacketType type, std::uint8_t flags, const Octets& body) {
    const Octets whole = packet(static_cast<unsigned>(type) << 4 | flags, body);
    ++packets[static_cast<std::size_t>(type)];
    bytes = bytes + whole;
    boundaries.push_back(bytes.size());
  }
};

Stream session_from_server() {
  Stream stream;
  stream.add(PacketType::connack, 0, {0x01, 0x00, 0x00});
  stream.add(PacketType::publish, 2, text("a/b") + u16(7) + Octets{0} + Octets(300, 0xD0));
  stream.add(PacketType::pingresp, 0, {});
  stream.add(PacketType::suback, 0, u16(1) + Octets{0, 2});
  stream.add(PacketType::disconnect, 0, {0x8E, 0x00});
  return stream;
}

void check_whole_session(const Run& run, const Stream& stream) {
  CHECK(run.framer.state() == State::disconnected);
  CHECK(run.framer.at_boundary());
  CHECK(run.good == stream.bytes.size());
  CHECK(run.packets() == stream.packets);
  CHECK(run.framer.first_type() == PacketType::connack);
  CHECK(run.framer.connack_code() == 0x00);
  CHECK(run.framer.packets(PacketType::publish) == 1);
  CHECK(run.framer.packets(PacketType::pubrel) == 0);
}

}  // namespace

TEST_CASE("the framer follows a session split at any position") {
  const Stream stream = session_from_server();
  const std::span<const std::uint8_t> bytes(stream.bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    Run run{Framer(Version::v5_0)};
    run.feed(bytes.first(cut));
    const bool boundary = std::count(stream.boundaries.begin(), stream.boundaries.end(), cut) > 0;
    REQUIRE(run.framer.at_boundary() == boundary);
    run.feed(bytes.subspan(cut));
    check_whole_session(run, stream);
  }
}

TEST_CASE("the framer follows a session byte by byte") {
  const Stream stream = session_from_server();
  Run run{Framer(Version::v5_0)};
  for (const std::uint8_t byte : stream.bytes) run.feed({&byte, 1});
  check_whole_session(run, stream);
}

TEST_CASE("the framer follows random streams split at random") {
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    Stream stream;
    for (std::size_t count = random() % 20; count > 0; --count) {
      const auto type = static_cast<PacketType>(1 + random() % 13);
      const std::size_t sizes[] = {0, random() % 10, random() % 300, random() % 40'000};
      stream.add(type, static_cast<std::uint8_t>(random() & 15), Octets(sizes[random() % 4], 0xE0));
    }
    Run run{Framer(random() % 2 == 0 ? Version::v5_0 : Version::v3_1_1)};
    std::span<const std::uint8_t> rest(stream.bytes);
    while (!rest.empty()) {
      const std::size_t piece = std::min<std::size_t>(rest.size(), 1 + random() % (random() % 2 == 0 ? 4 : 5000));
      run.feed(rest.first(piece));
      rest = rest.subspan(piece);
      const bool boundary = std::count(stream.boundaries.begin(), stream.boundaries.end(), run.good) > 0;
      REQUIRE(run.framer.at_boundary() == boundary);
    }
    REQUIRE(run.packets() == stream.packets);
    REQUIRE(run.framer.state() == State::running);
  }
}

TEST_CASE("any byte after DISCONNECT is refused") {
  const Octets disconnect{0xE0, 0x00};
  for (std::size_t cut = 0; cut <= 2; ++cut) {
    Framer framer(Version::v3_1_1);
    framer.feed(std::span<const std::uint8_t>(disconnect).first(cut));
    const Octets rest = Octets(disconnect.begin() + static_cast<long>(cut), disconnect.end()) + Octets{0xC0, 0x00};
    const auto fed = framer.feed(rest);
    CHECK(fed.state == State::disconnected);
    CHECK(fed.good == 2 - cut);
    CHECK(framer.packets(PacketType::pingreq) == 0);
    CHECK(framer.feed(rest).good == 0);
  }
}

TEST_CASE("a DISCONNECT inside a chunk ends where its body ends") {
  const Octets before = packet(0x30, text("t") + Octets(10, 0));
  const Octets disconnect = packet(0xE0, Octets{0x04, 0x05, 0x11} + u32(60));
  Framer framer(Version::v5_0);
  const auto fed = framer.feed(before + disconnect + before);
  CHECK(fed.state == State::disconnected);
  CHECK(fed.good == before.size() + disconnect.size());
}

TEST_CASE("an incomplete DISCONNECT does not end the session") {
  Framer framer(Version::v5_0);
  CHECK(framer.feed(Octets{0xE0, 0x02, 0x00}).state == State::running);
  CHECK_FALSE(framer.at_boundary());
  CHECK(framer.feed(Octets{0x00}).state == State::disconnected);
}

TEST_CASE("the CONNACK code comes from the first CONNACK") {
  Framer framer(Version::v3_1_1);
  CHECK_FALSE(framer.connack_code());
  framer.feed(Octets{0x20, 0x02, 0x00});
  CHECK_FALSE(framer.connack_code());
  framer.feed(Octets{0x05});
  CHECK(framer.connack_code() == 5);
  framer.feed(Octets{0x20, 0x02, 0x00, 0x00});
  CHECK(framer.connack_code() == 5);
  Framer cut(Version::v3_1_1);  // too short for a code: the framer must not read it from the next packet
  cut.feed(Octets{0x20, 0x01, 0x00, 0x90, 0x03, 0x00, 0x01, 0x02});
  CHECK_FALSE(cut.connack_code());
  CHECK(cut.packets(PacketType::suback) == 1);
}

TEST_CASE("a reserved packet type is refused at its first byte") {
  const auto check = [](Version version, std::uint8_t first, State state) {
    Framer framer(version);
    const auto fed = framer.feed(Octets{0xC0, 0x00, first});
    CHECK(fed.state == state);
    CHECK(fed.good == (state == State::running ? 3 : 2));
    CHECK(framer.at_boundary() == (state != State::running));
  };
  check(Version::v5_0, 0x00, State::reserved_type);
  check(Version::v3_1_1, 0x0F, State::reserved_type);
  check(Version::v3_1_1, 0xF0, State::reserved_type);
  check(Version::v3_1, 0xF0, State::reserved_type);
  check(Version::v5_0, 0xF0, State::running);
}

TEST_CASE("a malformed remaining length is refused wherever it is split") {
  const Octets ping{0xC0, 0x00};
  const Octets bad{0x30, 0x80, 0xFF, 0x80, 0x80, 0x01};
  for (std::size_t cut = 0; cut < 5; ++cut) {
    Framer framer(Version::v5_0);
    const Octets first = ping + Octets(bad.begin(), bad.begin() + static_cast<long>(cut));
    CHECK(framer.feed(first).state == State::running);
    const auto fed = framer.feed(Octets(bad.begin() + static_cast<long>(cut), bad.end()));
    CHECK(fed.state == State::malformed_length);
    CHECK(fed.good == 0);
    CHECK(framer.at_boundary() == (cut == 0));  // otherwise part of the bad header has already passed
    CHECK(framer.packets(PacketType::publish) == 0);
  }
}

TEST_CASE("a packet over the size limit is refused before its first byte passes") {
  const Octets fits = packet(0x30, Octets(98, 0));
  const Octets over = packet(0x30, Octets(99, 0));
  REQUIRE(fits.size() == 100);
  Framer framer(Version::v3_1_1, 100);
  const auto fed = framer.feed(fits + over);
  CHECK(fed.state == State::too_large);
  CHECK(fed.good == fits.size());
  CHECK(framer.at_boundary());
  CHECK(framer.feed(fits).good == 0);
  CHECK(framer.feed(fits).state == State::too_large);
}

TEST_CASE("the largest packet of the protocol passes") {
  Framer framer(Version::v3_1_1);
  framer.feed(Octets{0x30, 0xFF, 0xFF, 0xFF, 0x7F});
  const Octets chunk(1'000'000, 0);
  std::uint32_t left = mqtt::kMaxRemainingLength;
  while (left > 0) {
    REQUIRE_FALSE(framer.at_boundary());
    const auto piece = std::min<std::uint32_t>(left, static_cast<std::uint32_t>(chunk.size()));
    framer.feed(std::span<const std::uint8_t>(chunk).first(piece));
    left -= piece;
  }
  CHECK(framer.at_boundary());
  CHECK(framer.bytes() == mqtt::kMaxPacketSize);
}

TEST_CASE("random bytes never confuse the framer") {
  std::mt19937 random(14);
  for (int round = 0; round < 5'000; ++round) {
    Octets bytes(random() % 200);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    Run whole{Framer(Version::v5_0, 1000)};
    whole.feed(bytes);
    Run pieces{Framer(Version::v5_0, 1000)};
    for (const std::uint8_t byte : bytes) pieces.feed({&byte, 1});
    REQUIRE(pieces.framer.state() == whole.framer.state());
    REQUIRE(pieces.packets() == whole.packets());
    REQUIRE(pieces.good >= whole.good);
    REQUIRE(pieces.good - whole.good <= 4);  // at most a header that turned out bad
  }
}
