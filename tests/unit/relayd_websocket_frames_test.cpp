// The frames of a WebSocket: a stream of bytes comes out, and each broken rule has its code.
#include <string>

#include "relayd/websocket/frames.h"
#include "tests/unit/catch.h"

using namespace relayd;
using namespace std::string_literals;

namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint8_t kFin = 0x80, kBinary = 2, kText = 1, kContinuation = 0, kClose = 8, kPing = 9, kPong = 10;

std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

// A client's frame, masked.
std::string frame(uint8_t first, const std::string& payload) {
  const auto size = payload.size();
  std::string out(1, static_cast<char>(first));
  if (size < 126) out += static_cast<char>(0x80 | size);
  else if (size < 65536) out += "\xFE"s + static_cast<char>(size >> 8) + static_cast<char>(size);
  else
    out += "\xFF\0\0\0\0"s + static_cast<char>(size >> 24) + static_cast<char>(size >> 16) +
           static_cast<char>(size >> 8) + static_cast<char>(size);
  const std::string key = "\x01\xFE\x80\x7F";
  out += key;
  for (size_t i = 0; i < size; i++) out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}

struct Client {
  explicit Client(uint64_t most = 1 << 20) : frames(most) {}
  // Gives `bytes` in pieces of `piece` bytes, until they end or the connection does.
  void send(const std::string& bytes, size_t piece = SIZE_MAX) {
    for (size_t at = 0; at < bytes.size() && !end; at += std::min(piece, bytes.size() - at)) {
      const auto part = bytes.substr(at, piece);
      Bytes now;
      end = frames.decode({reinterpret_cast<const uint8_t*>(part.data()), part.size()}, now);
      CHECK(now.size() <= part.size());
      payload += text_of(now);
    }
  }
  std::string pong() {
    Bytes out;
    frames.answer_ping(out);
    return text_of(out);
  }
  websocket::Frames frames;
  std::string payload;
  std::optional<websocket::Frames::End> end;
};

// What ends a connection that gets these bytes: "CODE FAULT", or "CODE" for a close frame.
std::string end_of(const std::string& bytes, uint64_t most = 1 << 20) {
  std::string all;
  for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{3}}) {
    Client client(most);
    client.send(bytes, piece);
    std::string said = client.end ? std::to_string(client.end->code) : "none";
    if (client.end && client.end->fault) said += " "s + websocket::kFaults[static_cast<size_t>(*client.end->fault)];
    if (all.empty()) all = said;
    CHECK(said == all);
  }
  return all;
}

}  // namespace

TEST_CASE("websocket: payloads are one stream of bytes, whatever the boundaries of frames, fragments and reads") {
  std::string large(70'000, '\0');
  for (size_t i = 0; i < large.size(); i++) large[i] = static_cast<char>(i * 7 >> 3);
  const std::string sent = frame(kFin | kBinary, "one") + frame(kFin | kBinary, "") + frame(kBinary, "two") +
                           frame(kFin | kPing, "p") + frame(kContinuation, "") + frame(kFin | kPong, "q") +
                           frame(kFin | kContinuation, "three") + frame(kFin | kBinary, large) +
                           frame(kFin | kBinary, large.substr(0, 126));
  for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{2}, size_t{5}, size_t{4095}, size_t{4097}}) {
    CAPTURE(piece);
    Client client;
    client.send(sent, piece);
    CHECK_FALSE(client.end);
    CHECK((client.payload == "onetwothree" + large + large.substr(0, 126)));
  }
}

TEST_CASE("websocket: a client that breaks a rule of RFC 6455 gets the code for it") {
  CHECK(end_of("\x82\x01x") == "1002 protocol_error");  // not masked
  CHECK(end_of(frame(kFin | kText, "x")) == "1003 text_frame");
  for (const int reserved : {0x40, 0x20, 0x10})
    CHECK(end_of(frame(static_cast<uint8_t>(kFin | reserved | kBinary), "x")) == "1002 protocol_error");
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15})
    CHECK(end_of(frame(static_cast<uint8_t>(kFin | opcode), "x")) == "1002 protocol_error");
  CHECK(end_of(frame(kFin | kContinuation, "x")) == "1002 protocol_error");
  CHECK(end_of(frame(kBinary, "x") + frame(kFin | kBinary, "x")) == "1002 protocol_error");
  CHECK(end_of(frame(kFin | kBinary, "x") + frame(kFin | kContinuation, "x")) == "1002 protocol_error");
  CHECK(end_of(frame(kPing, "x")) == "1002 protocol_error");  // in fragments
  CHECK(end_of(frame(kFin | kPing, std::string(126, 'x'))) == "1002 protocol_error");
  CHECK(end_of("\x82\xFE\x00\x7D\1\1\1\1x"s) == "1002 protocol_error");              // 125 in two bytes
  CHECK(end_of("\x82\xFF\0\0\0\0\0\0\xFF\xFF\1\1\1\1x"s) == "1002 protocol_error");  // 65,535 in eight
  CHECK(end_of("\x82\xFF\x80\0\0\0\0\0\0\0\1\1\1\1x"s) == "1002 protocol_error");    // 2^63
}

TEST_CASE("websocket: a frame may have max_frame_size bytes, and a message any number") {
  const std::string most(1024, 'x');
  CHECK(end_of(frame(kFin | kBinary, most), 1024) == "none");
  CHECK(end_of(frame(kBinary, most) + frame(kContinuation, most) + frame(kFin | kContinuation, most), 1024) == "none");
  CHECK(end_of(frame(kFin | kBinary, most + "x"), 1024) == "1009 too_big");
  CHECK(end_of(frame(kBinary, "x") + frame(kFin | kContinuation, most + "x"), 1024) == "1009 too_big");
  CHECK(end_of("\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\1\1\1\1x"s, 1024) == "1009 too_big");
}

TEST_CASE(
    "websocket: the client's close frame ends the stream with its code, and a code that must not be sent is an error") {
  CHECK(end_of(frame(kFin | kClose, "")) == "1005");
  CHECK(end_of(frame(kFin | kClose, "\x03\xE8")) == "1000");
  CHECK(end_of(frame(kFin | kClose,
                     "\x03\xE9"
                     "going")) == "1001");
  CHECK(end_of(frame(kFin | kClose, "\x0B\xB8")) == "3000");
  CHECK(end_of(frame(kFin | kClose, "\x03")) == "1002 protocol_error");
  for (const auto& code :
       {"\0\0"s, "\x03\xE7"s, "\x03\xEC"s, "\x03\xED"s, "\x03\xEE"s, "\x03\xF7"s, "\x0B\xB7"s, "\x13\x88"s})
    CHECK(end_of(frame(kFin | kClose, code)) == "1002 protocol_error");
  Client client;
  client.send(frame(kFin | kBinary, "before") + frame(kFin | kClose, "\x03\xE8") + frame(kFin | kBinary, "after"));
  CHECK(client.payload == "before");
}

TEST_CASE("websocket: the most recent ping is answered, once") {
  Client client;
  CHECK_FALSE(client.frames.owes_pong());
  client.send(frame(kFin | kPing, "old") + frame(kFin | kPing, "new") + frame(kFin | kPong, "unasked"), 1);
  CHECK(client.frames.owes_pong());
  CHECK(client.pong() == "\x8A\x03new");
  CHECK_FALSE(client.frames.owes_pong());
  CHECK(client.pong().empty());
  client.send(frame(kFin | kPing, std::string(125, 'x')));
  CHECK(client.pong() == "\x8A\x7D" + std::string(125, 'x'));
  client.send(frame(kFin | kPing, ""));
  CHECK(client.pong() == "\x8A\0"s);
}

TEST_CASE("websocket: the server's frames are binary, whole and without a mask, and none follows its close frame") {
  Client client;
  Bytes out;
  const auto encoded = [&](size_t size) {
    out.clear();
    client.frames.encode(Bytes(size, 'x'), out);
    return text_of(out).substr(0, out.size() - size);
  };
  CHECK(encoded(0).empty());
  CHECK(encoded(1) == "\x82\x01");
  CHECK(encoded(125) == "\x82\x7D");
  CHECK(encoded(126) == "\x82\x7E\0\x7E"s);
  CHECK(encoded(65'535) == "\x82\x7E\xFF\xFF");
  CHECK(encoded(65'536) == "\x82\x7F\0\0\0\0\0\1\0\0"s);
  client.send(frame(kFin | kPing, "x"));
  out.clear();
  client.frames.close(1001, out);
  CHECK(text_of(out) == "\x88\x02\x03\xE9");
  CHECK(client.frames.closed());
  out.clear();
  client.frames.encode(Bytes{'x'}, out);
  client.frames.answer_ping(out);
  client.frames.close(1000, out);
  CHECK(out.empty());
  client.send(frame(kFin | kBinary, "late"));
  CHECK(client.payload.empty());

  Client other;
  other.frames.close(websocket::kNoStatus, out);
  CHECK(text_of(out) == "\x88\0"s);
}
