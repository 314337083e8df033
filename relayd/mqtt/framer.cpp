#include "relayd/mqtt/framer.h"

#include <algorithm>

namespace mqtt {

Framer::Fed Framer::feed(Bytes in) {
  if (state_ != State::running) return {0, state_};
  std::size_t at = 0;
  std::size_t begun = 0;  // where the current packet starts, if it starts in this chunk
  bool began_here = false;
  while (at < in.size()) {
    if (left_ > 0) {
      at += skip(in.subspan(at));
    } else {
      if (!header_.started()) {
        began_here = true;
        begun = at;
      }
      const auto status = header_.push(in[at++]);
      if (type_is_reserved(header_.type())) return stop(State::reserved_type, begun, began_here);
      if (status == FixedHeader::Status::more) continue;
      if (status == FixedHeader::Status::malformed) return stop(State::malformed_length, begun, began_here);
      if (header_.packet_size() > max_packet_size_) return stop(State::too_large, begun, began_here);
      largest_packet_ = std::max(largest_packet_, header_.packet_size());
      begin(header_.remaining());
    }
    if (left_ == 0 && type_ == PacketType::disconnect) return go_on(State::disconnected, at);
  }
  return go_on(State::running, at);
}

void Framer::begin(std::uint32_t remaining) {
  type_ = header_.type();
  header_.reset();
  left_ = remaining;
  ++packets_[static_cast<std::size_t>(type_)];
  if (!first_type_) first_type_ = type_;
  // After the acknowledge flags (MQTT section 3.2.2).
  code_in_ = type_ == PacketType::connack && !connack_code_ ? 1 : kNothing;
}

std::size_t Framer::skip(Bytes rest) {
  const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(left_, rest.size()));
  if (code_in_ < count) {
    connack_code_ = rest[code_in_];
    code_in_ = kNothing;
  } else if (code_in_ != kNothing) {
    code_in_ -= count;
  }
  left_ -= count;
  return count;
}

Framer::Fed Framer::go_on(State state, std::size_t good) {
  state_ = state;
  bytes_ += good;
  return {good, state};
}

Framer::Fed Framer::stop(State state, std::size_t good, bool began_here) {
  if (began_here) header_.reset();  // no byte of the bad packet is passed on, so this is still a boundary
  return go_on(state, began_here ? good : 0);
}

}  // namespace mqtt
