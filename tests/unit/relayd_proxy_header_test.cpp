#include <string>

#include "relayd/session/proxy_header.h"
#include "tests/unit/catch.h"

using namespace relayd;
using namespace std::string_literals;

namespace {

using Bytes = std::vector<uint8_t>;

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
const std::string kFour = "\xC0\x00\x02\x07"s + "\xC6\x33\x64\x02" + "\x30\x39" + "\x22\xB3"s;  // 192.0.2.7:12345 …

std::string version_2(const std::string& command, const std::string& family, const std::string& block) {
  const auto size = block.size();
  return kSignature + command + family + static_cast<char>(size >> 8) + static_cast<char>(size) + block;
}
std::string field(char type, const std::string& value) {
  return std::string{type, static_cast<char>(value.size() >> 8), static_cast<char>(value.size())} + value;
}

// Parses the header, whole and byte by byte, with bytes of the connection behind it. "SOURCE DESTINATION", "local", or
// "refused: WHY".
std::string read(const std::string& text) {
  const auto name = [](const auto& parsed) -> std::string {
    if (const auto* bad = std::get_if<proxy::BadHeader>(&parsed)) return "refused: " + std::string(bad->why);
    const auto& header = std::get<proxy::Header>(parsed);
    if (!header.endpoints) return "local";
    return header.endpoints->source.text() + " " + header.endpoints->destination.text();
  };
  std::string in_pieces;
  for (size_t size = 0; size <= text.size() && in_pieces.empty(); size++) {
    const auto parsed = proxy::parse(bytes_of(text.substr(0, size)));
    if (!std::holds_alternative<proxy::NeedMore>(parsed)) in_pieces = name(parsed);
  }
  const auto whole = proxy::parse(bytes_of(text + "\x16\x03\x01"));
  const std::string at_once = std::holds_alternative<proxy::NeedMore>(whole) ? "" : name(whole);
  CHECK(in_pieces == (at_once.empty() ? "" : at_once));
  if (const auto* header = std::get_if<proxy::Header>(&whole)) CHECK(header->size == text.size());
  return at_once;
}

}  // namespace

TEST_CASE("proxy header: version 1 says whose connection it is") {
  CHECK(read("PROXY TCP4 192.0.2.7 198.51.100.2 12345 8883\r\n") == "192.0.2.7:12345 198.51.100.2:8883");
  CHECK(read("PROXY TCP6 2001:db8::7 2001:db8::2 0 65535\r\n") == "[2001:db8::7]:0 [2001:db8::2]:65535");
  CHECK(read("PROXY UNKNOWN\r\n") == "local");
  CHECK(read("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n") == "local");  // the specification's own
}

TEST_CASE("proxy header: version 1 that the specification does not allow is refused") {
  const std::string bad[] = {
      "PROXY TCP4 192.0.2.7 198.51.100.2 12345\r\n",            // a port is missing
      "PROXY TCP4 192.0.2.7 198.51.100.2 12345 8883 1\r\n",     // a word too many
      "PROXY TCP4  192.0.2.7 198.51.100.2 12345 8883\r\n",      // two spaces
      "PROXY TCP4 192.0.2.7 198.51.100.2 12345 8883 \r\n",      // a space at the end
      "PROXY TCP4 192.0.2.7 198.51.100.2 012345 8883\r\n",      // a leading zero
      "PROXY TCP4 192.0.2.7 198.51.100.2 +12345 8883\r\n",      //
      "PROXY TCP4 192.0.2.7 198.51.100.2 65536 8883\r\n",       //
      "PROXY TCP4 192.0.2.07 198.51.100.2 12345 8883\r\n",      // octal or decimal?
      "PROXY TCP4 2001:db8::7 2001:db8::2 12345 8883\r\n",      // not IPv4
      "PROXY TCP6 192.0.2.7 198.51.100.2 12345 8883\r\n",       // not IPv6
      "PROXY TCP4 broker.example 198.51.100.2 12345 8883\r\n",  // a name
      "PROXY UDP4 192.0.2.7 198.51.100.2 12345 8883\r\n",       //
      "PROXY \r\n",
      "PROXY unknown\r\n",                                                       //
      "proxy TCP4 192.0.2.7 198.51.100.2 12345 8883\r\n",                        // lower case
      "PROXY TCP4 192.0.2.7 198.51.100.2 12345 8883\n" + std::string(107, ' '),  // no CR
  };
  for (const auto& text : bad) {
    INFO(text);
    CHECK(read(text).starts_with("refused: "));
  }
  CHECK(read("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n").starts_with("refused: its line does not end"));
  CHECK(read("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n") == "local");  // 107 bytes
}

TEST_CASE("proxy header: version 2 says whose connection it is, with fields behind the addresses") {
  const std::string six = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x07"s + "\x20\x01\x0d\xb8"s +
                          std::string(11, '\0') + "\x02" + "\x30\x39\x22\xB3";
  CHECK(read(version_2("\x21", "\x11", kFour)) == "192.0.2.7:12345 198.51.100.2:8883");
  CHECK(read(version_2("\x21", "\x21", six)) == "[2001:db8::7]:12345 [2001:db8::2]:8883");
  const std::string fields = field('\x05', "unique") + field('\x04', "") + field('\xEA', "\x01vpce-08d2bf15fac5001c9");
  CHECK(read(version_2("\x21", "\x11", kFour + fields)) == "192.0.2.7:12345 198.51.100.2:8883");
}

TEST_CASE("proxy header: a load balancer's own connection is local, whatever else version 2 says") {
  CHECK(read(version_2("\x20", "\0"s, "")) == "local");
  CHECK(read(version_2("\x20", "\x11", kFour)) == "local");
  CHECK(read(version_2("\x20", "\x77", "anything")) == "local");
  CHECK(read(version_2("\x21", "\0"s, "")) == "local");
}

TEST_CASE("proxy header: version 2 that is malformed, or not for TCP, is refused") {
  CHECK(read(version_2("\x11", "\x11", kFour)).starts_with("refused: its version"));
  CHECK(read(version_2("\x22", "\x11", kFour)).starts_with("refused: its version"));
  for (const char* family : {"\x12", "\x22", "\x31", "\x32", "\x10", "\x41"})
    CHECK(read(version_2("\x21", family, kFour)).starts_with("refused: it is for a connection that is not TCP"));
  CHECK(read(version_2("\x21", "\x11", kFour.substr(1))).starts_with("refused: it is too short"));
  CHECK(read(version_2("\x21", "\x21", kFour)).starts_with("refused: it is too short"));
  CHECK(read(version_2("\x21", "\x11", kFour + "\x05\x00"s)).starts_with("refused: a field in it is cut off"));
  CHECK(read(version_2("\x21", "\x11", kFour + "\x05\x00\x02x"s)).starts_with("refused: a field in it is longer"));
  CHECK(read(kSignature + "\x21\x11\x0F\xF1"s).starts_with("refused: it announces more than 4096 bytes"));
  CHECK(read(version_2("\x21", "\x11", kFour + field('\x04', std::string(4096 - 16 - 12 - 3, '\0')))) ==
        "192.0.2.7:12345 198.51.100.2:8883");
  for (const std::string& other : {"\x16\x03\x01"s, "GET /"s, "\r\n\r\n\r\n"s, "P\0"s})
    CHECK(read(other).starts_with("refused: it does not begin"));
}

TEST_CASE("proxy header: a checksum is verified") {
  // Of the whole header with zeros for the checksum, by an independent CRC-32C.
  const std::string right = version_2("\x21", "\x11", kFour + field('\x03', "\x5E\xBF\x3A\x1C"));
  CHECK(read(right) == "192.0.2.7:12345 198.51.100.2:8883");
  CHECK(read(version_2("\x21", "\x11", kFour + field('\x03', "\x5E\xBF\x3A\x1D"))) == "refused: its checksum is wrong");
  CHECK(read(version_2("\x21", "\x11", kFour + field('\x03', "\x5E\xBF\x3A"))).starts_with("refused: its checksum"));
}

TEST_CASE("proxy header: what is written can be read, in the family that both addresses have") {
  const auto from = *SocketAddress::parse("192.0.2.7:12345"), to = *SocketAddress::parse("198.51.100.2:8883");
  const auto mapped = *SocketAddress::parse("[::ffff:198.51.100.2]:8883"),
             six = *SocketAddress::parse("[2001:db8::2]:1");
  const auto text = [](const Bytes& bytes) { return read({bytes.begin(), bytes.end()}); };
  CHECK(text(proxy::encode({from, to}, std::nullopt)) == "192.0.2.7:12345 198.51.100.2:8883");
  CHECK(text(proxy::encode({from, mapped}, std::nullopt)) == "192.0.2.7:12345 198.51.100.2:8883");
  CHECK(text(proxy::encode({six, six}, std::nullopt)) == "[2001:db8::2]:1 [2001:db8::2]:1");
  CHECK(text(proxy::encode({from, six}, std::nullopt)) == "[::ffff:192.0.2.7]:12345 [2001:db8::2]:1");
  CHECK(proxy::encode({from, to}, std::nullopt) == bytes_of(version_2("\x21", "\x11", kFour)));
  const std::string ssl = "\x07\0\0\0\0"s + field('\x21', "TLSv1.3") + field('\x22', "dev1");
  CHECK(proxy::encode({from, to}, proxy::Tls{"TLSv1.3", "dev1"}) ==
        bytes_of(version_2("\x21", "\x11", kFour + field('\x20', ssl))));
  const std::string nameless = "\x07\0\0\0\0"s + field('\x21', "TLSv1.2");
  CHECK(proxy::encode({from, to}, proxy::Tls{"TLSv1.2", ""}) ==
        bytes_of(version_2("\x21", "\x11", kFour + field('\x20', nameless))));
}
