#include "relayd/mqtt/connack.h"

namespace mqtt {
namespace {

// MQTT section 3.2.2.3: the properties of CONNACK. `size`: a number's bytes; 0: it is `texts` length-prefixed strings.
struct Shape {
  std::uint8_t id, size, texts;
};
constexpr std::uint8_t kServerKeepAlive = 0x13, kReasonString = 0x1F, kRetainAvailable = 0x25,
                       kMaximumPacketSize = 0x27;
constexpr Shape kShapes[] = {
    {0x11, 4, 0},                // session expiry interval
    {0x12, 0, 1},                // assigned client identifier
    {kServerKeepAlive, 2, 0},    //
    {0x15, 0, 1},                // authentication method
    {0x16, 0, 1},                // authentication data
    {0x1A, 0, 1},                // response information
    {0x1C, 0, 1},                // server reference
    {kReasonString, 0, 1},       //
    {0x21, 2, 0},                // receive maximum
    {0x22, 2, 0},                // topic alias maximum
    {0x24, 1, 0},                // maximum QoS
    {kRetainAvailable, 1, 0},    //
    {0x26, 0, 2},                // user property
    {kMaximumPacketSize, 4, 0},  //
    {0x28, 1, 0},                // wildcard subscription available
    {0x29, 1, 0},                // subscription identifiers available
    {0x2A, 1, 0},                // shared subscription available
};

}  // namespace

void ConnackReader::feed(Bytes in) {
  for (const std::uint8_t byte : in) {
    if (done()) return;
    take(byte);
  }
}

void ConnackReader::expect(Expects what, std::uint32_t bytes) {
  expects_ = what;
  left_ = bytes;
  value_ = 0;
}

void ConnackReader::take(std::uint8_t byte) {
  if (expects_ == Expects::header) return take_header(byte);
  left_in_packet_--;
  switch (expects_) {
    case Expects::flags_and_code:
      value_ = value_ << 8 | byte;
      if (--left_ > 0) break;
      session_present_ = (value_ >> 8 & 1) != 0;
      code_ = static_cast<std::uint8_t>(value_);
      expect(Expects::properties_length, 4);
      break;
    case Expects::properties_length:  // the value is not needed: the properties fill the rest of the packet
      if ((byte & 0x80) == 0) expect(Expects::property, 1);
      else if (--left_ == 0) expect(Expects::nothing, 0);
      break;
    case Expects::property: begin_property(byte); break;
    case Expects::number:
      value_ = value_ << 8 | byte;
      if (--left_ > 0) break;
      if (texts_ > 0 && value_ > 0) expect(Expects::text, value_);
      else end_property();
      break;
    case Expects::text:
      if (property_ == kReasonString && reason_.size() < kMostReason) reason_ += static_cast<char>(byte);
      if (--left_ == 0) end_property();
      break;
    case Expects::other_packet:
      if (left_in_packet_ == 0) return expect(Expects::header, 0);
      break;
    case Expects::header:
    case Expects::nothing: break;
  }
  if (left_in_packet_ == 0) expect(Expects::nothing, 0);
}

void ConnackReader::take_header(std::uint8_t byte) {
  const auto status = header_.push(byte);
  if (status == FixedHeader::Status::more) return;
  left_in_packet_ = header_.remaining();
  const PacketType type = header_.type();
  header_.reset();
  if (status == FixedHeader::Status::done && type == PacketType::auth)
    return expect(left_in_packet_ > 0 ? Expects::other_packet : Expects::header, 0);
  const bool followed = status == FixedHeader::Status::done && type == PacketType::connack && left_in_packet_ > 0;
  if (followed) expect(Expects::flags_and_code, 2);
  else expect(Expects::nothing, 0);
}

void ConnackReader::begin_property(std::uint8_t id) {
  for (const Shape& shape : kShapes) {
    if (shape.id != id) continue;
    property_ = id;
    texts_ = shape.texts;
    return expect(Expects::number, shape.size > 0 ? shape.size : 2);
  }
  expect(Expects::nothing, 0);
}

void ConnackReader::end_property() {
  if (property_ == kRetainAvailable) retain_available_ = value_ != 0;
  if (property_ == kMaximumPacketSize) maximum_packet_size_ = value_;
  if (property_ == kServerKeepAlive) server_keep_alive_ = static_cast<std::uint16_t>(value_);
  if (texts_ > 1) {
    texts_ = 1;
    return expect(Expects::number, 2);
  }
  expect(Expects::property, 1);
}

}  // namespace mqtt
