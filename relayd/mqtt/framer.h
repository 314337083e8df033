// Tracks the packet boundaries in one direction of a session, for a relay that passes the bytes on unchanged.
//
// The framer neither copies nor keeps bytes. It reads fixed headers and the reason codes of CONNACK and DISCONNECT, and
// skips the rest arithmetically, so its cost grows with packets, not with bytes. Packets may be split over any number
// of chunks. It promises that the good bytes end where a packet could be added (at_boundary()), or inside a packet that
// keeps the limits. It does not judge the contents of packets; the endpoints do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>

#include "relayd/mqtt/fixed_header.h"
#include "relayd/mqtt/types.h"

namespace mqtt {

class Framer {
 public:
  enum class State : std::uint8_t {
    running,
    disconnected,      // a complete DISCONNECT has passed; the sender must send nothing more (MQTT-3.14.4-1)
    malformed_length,  // a remaining length of more than four bytes (MQTT section 2.1.4)
    reserved_type,     // packet type 0, or 15 in 3.x (MQTT section 2.1.2)
    too_large,         // a packet larger than max_packet_size
  };

  struct Fed {
    std::size_t good = 0;  // bytes of the chunk that may be passed on; while running, all of them
    State state = State::running;
  };

  // `max_packet_size` in bytes of the whole packet, fixed header included.
  explicit Framer(Version version, std::uint32_t max_packet_size = kMaxPacketSize)
      : max_packet_size_(max_packet_size), version_(version) {}

  // Takes the next bytes of the stream. A state other than `running` is final: from then on no byte is good.
  //
  // At a fault, `good` ends before the bad packet if that packet started in this chunk. If it started in an earlier
  // chunk, up to four bytes of its header have been passed on: `good` is 0 and at_boundary() is false, so nothing can
  // be added to the stream.
  Fed feed(Bytes in);

  State state() const { return state_; }
  // The good bytes end between two packets, so the relay may send the receiving peer a packet of its own.
  bool at_boundary() const { return left_ == 0 && !header_.started(); }

  // Bytes of the current packet that have not come yet; nullopt within a fixed header, which does not tell them yet.
  std::optional<std::uint32_t> left() const {
    return header_.started() ? std::nullopt : std::optional<std::uint32_t>(left_);
  }

  // Good bytes, and packets whose fixed header was good.
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t packets(PacketType type) const { return packets_[static_cast<std::size_t>(type)]; }
  std::uint64_t packets() const { return std::accumulate(packets_.begin(), packets_.end(), std::uint64_t{0}); }

  // Bytes of the largest packet whose fixed header was good.
  std::uint32_t largest_packet() const { return largest_packet_; }

  std::optional<PacketType> first_type() const { return first_type_; }
  // The first CONNACK's reason code (3.x: return code); 0 is success.
  std::optional<std::uint8_t> connack_code() const { return connack_code_; }

 private:
  static constexpr std::uint32_t kNothing = 0xFFFF'FFFF;

  bool type_is_reserved(PacketType type) const {
    return type == PacketType::reserved || (type == PacketType::auth && version_ != Version::v5_0);
  }
  std::size_t skip(Bytes rest);         // skips the body; returns the number of bytes skipped
  void begin(std::uint32_t remaining);  // the fixed header is complete and good
  Fed stop(State state, std::size_t good, bool began_here);
  Fed go_on(State state, std::size_t good);

  std::array<std::uint64_t, 16> packets_{};
  std::uint64_t bytes_ = 0;
  std::uint32_t max_packet_size_;
  std::uint32_t largest_packet_ = 0;
  std::uint32_t left_ = 0;                  // body bytes of the current packet that have not come yet
  std::uint32_t code_in_ = kNothing;        // body bytes before the CONNACK's code
  FixedHeader header_{};                    // started() while part of a fixed header has come
  PacketType type_ = PacketType::reserved;  // of the current packet
  Version version_;
  State state_ = State::running;
  std::optional<PacketType> first_type_{};
  std::optional<std::uint8_t> connack_code_{};
};

}  // namespace mqtt
