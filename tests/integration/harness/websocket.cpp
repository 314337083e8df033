#include "tests/integration/harness/websocket.h"

namespace harness {
namespace {

std::string big_endian(uint64_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

uint64_t number_in(const std::string& bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

}  // namespace

std::string Frame::bytes() const {
  const auto mask_bit = static_cast<uint8_t>(masked ? 0x80 : 0);
  std::string out{static_cast<char>((fin ? 0x80 : 0) | reserved << 4 | opcode)};
  if (payload.size() < 126) out += static_cast<char>(mask_bit | payload.size());
  else if (payload.size() < 65536) out += static_cast<char>(mask_bit | 126) + big_endian(payload.size(), 2);
  else out += static_cast<char>(mask_bit | 127) + big_endian(payload.size(), 8);
  if (!masked) return out + payload;
  const std::string key = "\x11\xA2\x3C\xF4";
  out += key;
  for (size_t i = 0; i < payload.size(); i++) out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}

std::string upgrade_request(const std::string& path, const std::string& more, const std::string& version) {
  return "GET " + path +
         " HTTP/1.1\r\nHost: gateway.example\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: " +
         version + "\r\n" + more + "\r\n";
}

std::string WebSocket::request(const std::string& request) {
  tls_.send(request);
  std::string head;
  while (!head.ends_with("\r\n\r\n")) head += tls_.read_exactly(1);
  return head;
}

WebSocket& WebSocket::upgrade() {
  const auto head = request(upgrade_request());
  // RFC 6455 section 1.3 has the answer to this key.
  if (!head.starts_with("HTTP/1.1 101 ") ||
      head.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") == head.npos)
    throw Failure("the upgrade was refused: " + head);
  return *this;
}

Frame WebSocket::read_frame(Deadline deadline) {
  const auto head = tls_.read_exactly(2, deadline);
  const auto first = static_cast<uint8_t>(head[0]), second = static_cast<uint8_t>(head[1]);
  if (second & 0x80) throw Failure("a server's frame with a mask");
  uint64_t size = second;
  if (size == 126) size = number_in(tls_.read_exactly(2, deadline));
  else if (size == 127) size = number_in(tls_.read_exactly(8, deadline));
  return {.opcode = static_cast<uint8_t>(first & 15),
          .payload = tls_.read_exactly(size, deadline),
          .fin = (first & 0x80) != 0,
          .masked = false,
          .reserved = static_cast<uint8_t>(first >> 4 & 7)};
}

std::string WebSocket::read(size_t size, Deadline deadline) {
  while (payload_.size() < size) {
    const auto frame = read_frame(deadline);
    if (frame.opcode != opcode::binary || !frame.fin || frame.reserved != 0)
      throw Failure("a frame with opcode " + std::to_string(frame.opcode) + " in place of a binary one");
    payload_ += frame.payload;
  }
  auto out = payload_.substr(0, size);
  payload_.erase(0, size);
  return out;
}

int WebSocket::read_close(std::string* before) {
  if (before) *before = std::exchange(payload_, {});
  for (;;) {
    const auto frame = read_frame();
    if (frame.opcode == opcode::close)
      return frame.payload.empty() ? 0 : static_cast<int>(number_in(frame.payload.substr(0, 2)));
    if (before) *before += frame.payload;
  }
}

}  // namespace harness
