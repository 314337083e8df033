#include "relayd/mqtt/packet_lister.h"

#include <algorithm>

namespace mqtt {
namespace {

// Takes values from the beginning of a packet's body; nullopt: it has too few bytes, or only its head is known.
class Head {
 public:
  explicit Head(Bytes bytes) : left_(bytes) {}

  std::optional<std::uint8_t> byte() {
    if (left_.empty()) return std::nullopt;
    const std::uint8_t value = left_.front();
    left_ = left_.subspan(1);
    return value;
  }
  std::optional<std::uint16_t> number() {
    const auto high = byte(), low = byte();
    if (!high || !low) return std::nullopt;
    return static_cast<std::uint16_t>(*high << 8 | *low);
  }
  std::string text() {
    const auto size = number();
    if (!size || *size > left_.size()) {
      left_ = {};
      return {};
    }
    std::string text(left_.begin(), left_.begin() + *size);
    left_ = left_.subspan(*size);
    return text;
  }
  // 5.0's properties (2.2.2).
  void skip_properties() {
    std::uint32_t size = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      const auto part = byte();
      if (!part) return;
      size |= static_cast<std::uint32_t>(*part & 0x7F) << shift;
      if ((*part & 0x80) == 0) break;
    }
    left_ = left_.subspan(std::min<std::size_t>(size, left_.size()));
  }

 private:
  Bytes left_;
};

}  // namespace

const char* name(PacketType type) {
  static constexpr const char* kNames[] = {"reserved", "CONNECT",  "CONNACK",    "PUBLISH", "PUBACK",      "PUBREC",
                                           "PUBREL",   "PUBCOMP",  "SUBSCRIBE",  "SUBACK",  "UNSUBSCRIBE", "UNSUBACK",
                                           "PINGREQ",  "PINGRESP", "DISCONNECT", "AUTH"};
  return kNames[static_cast<std::size_t>(type) & 15];
}

// How much of the body is kept.
std::size_t PacketLister::wanted() const {
  switch (header_.type()) {
    case PacketType::connect: return 0;
    case PacketType::auth: return 1;  // then come authentication data
    default: return kHead;
  }
}

void PacketLister::feed(Bytes in, std::vector<ListedPacket>& found) {
  while (!in.empty() && !broken_) {
    if (left_ > 0) {
      const auto count = std::min<std::size_t>(left_, in.size());
      if (listed_ && head_.size() < wanted()) {
        const auto kept = in.first(std::min(count, wanted() - head_.size()));
        head_.insert(head_.end(), kept.begin(), kept.end());
      }
      left_ -= static_cast<std::uint32_t>(count);
      in = in.subspan(count);
    } else {
      const auto status = header_.push(in.front());
      in = in.subspan(1);
      if (status == FixedHeader::Status::more) continue;
      if (status == FixedHeader::Status::malformed) broken_ = true;
      if (broken_) return;
      left_ = header_.remaining();
      listed_ = true;
    }
    if (left_ > 0) continue;
    if (listed_) found.push_back(packet());
    listed_ = false;
    header_.reset();
    head_.clear();
  }
}

ListedPacket PacketLister::packet() const {
  const bool v5 = version_ == Version::v5_0;
  ListedPacket packet{.type = header_.type(), .size = header_.packet_size()};
  Head head(head_);
  switch (packet.type) {
    case PacketType::publish:
      packet.qos = (header_.flags() >> 1) & 3;
      packet.dup = (header_.flags() & 8) != 0;
      packet.retain = (header_.flags() & 1) != 0;
      packet.topic = head.text();
      if (packet.qos > 0) packet.id = head.number();
      break;
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp:
      packet.id = head.number();
      if (v5) packet.reason = head.byte();
      break;
    case PacketType::subscribe:
    case PacketType::unsubscribe:
      packet.id = head.number();
      if (v5) head.skip_properties();
      packet.topic = head.text();
      break;
    case PacketType::suback:
    case PacketType::unsuback:
      packet.id = head.number();
      if (v5) head.skip_properties();
      packet.reason = head.byte();
      break;
    case PacketType::connack:
      head.byte();
      packet.reason = head.byte();
      break;
    case PacketType::disconnect:
    case PacketType::auth:
      if (v5) packet.reason = head.byte();
      break;
    default: break;
  }
  return packet;
}

}  // namespace mqtt
