// A WebSocket client as RFC 6455 describes it, without any of the product's code: the test writes each frame itself.
#pragma once

#include <string>

#include "tests/integration/harness/mqtt.h"
#include "tests/integration/harness/tls_stream.h"

namespace harness {

namespace opcode {
inline constexpr uint8_t continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10;
}

struct Frame {
  uint8_t opcode = opcode::binary;
  std::string payload = {};
  bool fin = true, masked = true;
  uint8_t reserved = 0;  // the three reserved bits
  std::string bytes() const;
};

// GET with all that MQTT over WebSocket needs. `more`: header lines, each with its CRLF.
std::string upgrade_request(const std::string& path = "/mqtt",
                            const std::string& more = "Sec-WebSocket-Protocol: mqtt\r\n",
                            const std::string& version = "13");

class WebSocket {
 public:
  explicit WebSocket(TlsStream stream) : tls_(std::move(stream)) {}
  TlsStream& tls() { return tls_; }

  // Sends the request and returns the response's head, with its empty line.
  std::string request(const std::string& request);
  // The usual request; throws Failure unless it is accepted.
  WebSocket& upgrade();

  void send(const Frame& frame) { tls_.send(frame.bytes()); }
  void send(std::string_view payload) { send(Frame{.payload = std::string(payload)}); }
  Frame read_frame(Deadline deadline = patience());
  // The next bytes from binary frames. A frame of another kind throws Failure.
  std::string read(size_t size, Deadline deadline = patience());
  // Reads frames until a close frame, and returns its code; payloads before it are added to `before`.
  int read_close(std::string* before = nullptr);

 private:
  TlsStream tls_;
  std::string payload_;  // read, not yet returned
};

}  // namespace harness
