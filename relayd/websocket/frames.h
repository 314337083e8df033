// The frames of one WebSocket, server's side (RFC 6455 sections 5 and 7), over wslay's frame layer. Pure: bytes in,
// bytes out; the caller has the socket.
//
//   open ──decode() returns an End, or the caller ends──► close() ──► closed: nothing more is read or written
//
// A message is a stream of bytes here: payloads are passed on as they come, whatever the boundaries of frames and
// fragments (MQTT-6.0.0-2). So nothing is collected but a control frame's 125 bytes, and the most recent ping is the
// one that is answered (section 5.5.3). wslay keeps 4 KiB for each connection. Its event layer, which would do more of
// this, keeps 8 KiB, and a pong for each ping.
#pragma once

#include <wslay/wslay.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "relayd/websocket/fault.h"

namespace relayd::websocket {

// Status codes of a close frame (RFC 6455 section 7.4.1), as far as this code names them.
inline constexpr uint16_t kNormal = 1000, kGoingAway = 1001, kProtocolError = 1002, kUnsupported = 1003,
                          kNoStatus = 1005, kTooBig = 1009;

class Frames {
 public:
  // `most_in_frame`: bytes of one frame's payload. Throws std::bad_alloc.
  explicit Frames(uint64_t most_in_frame);
  Frames(const Frames&) = delete;
  Frames& operator=(const Frames&) = delete;

  struct End {
    uint16_t code = kNormal;     // to be sent in the answer
    std::optional<Fault> fault;  // nullopt: the client has closed, with `code`
    std::string_view why;        // with a fault, for the log
  };
  // Appends the payloads in `bytes` to `payload`: never more bytes than these. After an End, call close().
  std::optional<End> decode(std::span<const uint8_t> bytes, std::vector<uint8_t>& payload);

  // Append to `out`: a binary frame, the pong that is owed, or a close frame. Nothing once closed.
  void encode(std::span<const uint8_t> payload, std::vector<uint8_t>& out);
  void answer_ping(std::vector<uint8_t>& out);
  void close(uint16_t code, std::vector<uint8_t>& out);
  bool owes_pong() const { return pong_.has_value(); }
  bool closed() const { return closed_; }

 private:
  struct Free {
    void operator()(wslay_frame_context* context) const { wslay_frame_context_free(context); }
  };

  static ssize_t give(uint8_t* to, size_t most, int flags, void* self);
  static ssize_t take(const uint8_t* from, size_t size, int flags, void* self);
  std::optional<End> begin_frame(const wslay_frame_iocb& frame);
  std::optional<End> end_control(uint8_t opcode);
  void write(uint8_t opcode, std::span<const uint8_t> payload, std::vector<uint8_t>& out);

  std::unique_ptr<wslay_frame_context, Free> context_;
  const uint64_t most_in_frame_;
  uint64_t received_ = 0;                   // of the present frame's payload
  std::span<const uint8_t> input_;          // during decode(): not yet given to wslay
  std::vector<uint8_t>* output_ = nullptr;  // during write()
  std::vector<uint8_t> control_;            // the present control frame's payload, at most 125 bytes
  std::optional<std::vector<uint8_t>> pong_;
  bool in_frame_ = false;    // its header has been judged
  bool in_message_ = false;  // a fragment has come, and not yet the last one
  bool closed_ = false;
};

}  // namespace relayd::websocket
