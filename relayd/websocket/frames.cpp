#include "relayd/websocket/frames.h"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

namespace relayd::websocket {
namespace {

Frames::End broken(std::string_view why) { return {kProtocolError, Fault::protocol_error, why}; }

// RFC 6455 section 7.4: the codes that may be sent, those that IANA has registered since, and private ones.
bool may_be_sent(uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

}  // namespace

Frames::Frames(uint64_t most_in_frame) : most_in_frame_(most_in_frame) {
  const wslay_frame_callbacks callbacks{&Frames::take, &Frames::give, nullptr};  // a server masks nothing
  wslay_frame_context* context = nullptr;
  if (wslay_frame_context_init(&context, &callbacks, this) != 0) throw std::bad_alloc();
  context_.reset(context);
}

// ---- reading -------------------------------------------------------------------------------------------------------

ssize_t Frames::give(uint8_t* to, size_t most, int, void* self) {
  auto& input = static_cast<Frames*>(self)->input_;
  if (input.empty()) return -1;
  const auto part = input.first(std::min(most, input.size()));
  std::copy(part.begin(), part.end(), to);
  input = input.subspan(part.size());
  return static_cast<ssize_t>(part.size());
}

std::optional<Frames::End> Frames::decode(std::span<const uint8_t> bytes, std::vector<uint8_t>& payload) {
  input_ = bytes;
  while (!closed_) {
    wslay_frame_iocb frame{};
    const ssize_t got = wslay_frame_recv(context_.get(), &frame);
    if (got == WSLAY_ERR_WANT_READ) return std::nullopt;  // it has taken all of the input
    if (got < 0) return broken("a length not in its shortest form, or a long or fragmented control frame");
    if (!std::exchange(in_frame_, true))
      if (auto end = begin_frame(frame)) return end;
    const bool control = wslay_is_ctrl_frame(frame.opcode);
    auto& to = control ? control_ : payload;
    to.insert(to.end(), frame.data, frame.data + frame.data_length);
    received_ += frame.data_length;
    if (received_ < frame.payload_length) continue;
    in_frame_ = false;
    if (control)
      if (auto end = end_control(frame.opcode)) return end;
  }
  return std::nullopt;
}

// wslay has checked that lengths have their shortest form, and that control frames are whole and have at most 125
// bytes.
std::optional<Frames::End> Frames::begin_frame(const wslay_frame_iocb& frame) {
  received_ = 0;
  control_.clear();
  if (!frame.mask) return broken("a frame without a mask");                                // RFC 6455 section 5.1
  if (frame.rsv != WSLAY_RSV_NONE) return broken("a reserved bit, without an extension");  // section 5.2
  switch (frame.opcode) {
    case WSLAY_CONNECTION_CLOSE:
    case WSLAY_PING:
    case WSLAY_PONG: return std::nullopt;
    case WSLAY_TEXT_FRAME: return End{kUnsupported, Fault::text_frame, "a text frame"};  // MQTT-6.0.0-1
    case WSLAY_BINARY_FRAME:
      if (in_message_) return broken("a new message inside a fragmented one");
      break;
    case WSLAY_CONTINUATION_FRAME:
      if (!in_message_) return broken("a continuation of no message");
      break;
    default: return broken("a reserved opcode");
  }
  in_message_ = !frame.fin;
  if (frame.payload_length > most_in_frame_)
    return End{kTooBig, Fault::too_big, "a frame larger than websocket.max_frame_size"};
  return std::nullopt;
}

// A close frame's reason is not used, and so not checked to be UTF-8.
std::optional<Frames::End> Frames::end_control(uint8_t opcode) {
  if (opcode == WSLAY_PING) pong_ = control_;
  if (opcode != WSLAY_CONNECTION_CLOSE) return std::nullopt;
  if (control_.empty()) return End{kNoStatus, std::nullopt, {}};
  const auto code = control_.size() < 2 ? uint16_t{0} : static_cast<uint16_t>(control_[0] << 8 | control_[1]);
  if (!may_be_sent(code)) return broken("a close frame with a code that must not be sent");
  return End{code, std::nullopt, {}};
}

// ---- writing -------------------------------------------------------------------------------------------------------

ssize_t Frames::take(const uint8_t* from, size_t size, int, void* self) {
  auto& output = *static_cast<Frames*>(self)->output_;
  output.insert(output.end(), from, from + size);
  return static_cast<ssize_t>(size);
}

// take() takes everything, so one call writes a whole frame.
void Frames::write(uint8_t opcode, std::span<const uint8_t> payload, std::vector<uint8_t>& out) {
  if (closed_) return;
  output_ = &out;
  wslay_frame_iocb frame{};
  frame.fin = 1;
  frame.opcode = opcode;
  frame.payload_length = payload.size();
  frame.data = payload.data();
  frame.data_length = payload.size();
  wslay_frame_send(context_.get(), &frame);
  output_ = nullptr;
}

void Frames::encode(std::span<const uint8_t> payload, std::vector<uint8_t>& out) {
  if (!payload.empty()) write(WSLAY_BINARY_FRAME, payload, out);
}

void Frames::answer_ping(std::vector<uint8_t>& out) {
  if (const auto pong = std::exchange(pong_, std::nullopt)) write(WSLAY_PONG, *pong, out);
}

void Frames::close(uint16_t code, std::vector<uint8_t>& out) {
  const std::array<uint8_t, 2> text{static_cast<uint8_t>(code >> 8), static_cast<uint8_t>(code)};
  write(WSLAY_CONNECTION_CLOSE, std::span(text).first(code == kNoStatus ? 0 : text.size()), out);
  closed_ = true;
}

}  // namespace relayd::websocket
