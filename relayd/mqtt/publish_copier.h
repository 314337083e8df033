// Finds the PUBLISH packets in what a device sends, and copies them for another broker: at QoS 0, as MQTT 5.0, with the
// topic in place of its alias.
//
// The relay passes the device's bytes on unchanged; this only watches them. Packets may be split over any number of
// chunks. Memory: of a packet that came in pieces, at most the largest packet that is copied, or kMaxHead; kMaxAliases
// bytes of topics. What does not fit is skipped and counted. Allocates only for packets in pieces and for aliases.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "relayd/mqtt/device_packets.h"
#include "relayd/mqtt/fixed_header.h"
#include "relayd/mqtt/types.h"

namespace mqtt {

class PublishCopier {
 public:
  static constexpr std::uint32_t kMaxHead = 128 * 1024;  // up to the payload, of a packet too large to be copied
  static constexpr std::size_t kMaxAliases = 64 * 1024;  // bytes of topics

  struct Counts {
    std::uint64_t copied = 0, too_large = 0, unknown_alias = 0;
  };

  // `prefix`: goes before each topic. `most`: bytes of a device's packet after its fixed header.
  PublishCopier(Version version, std::string prefix, std::uint32_t most)
      : version_(version), prefix_(std::move(prefix)), most_(most) {}

  // Takes the next bytes of the stream, from after CONNECT on; appends whole packets to `out`. After a flaw in a
  // PUBLISH nothing more is copied: the broker that the device talks to ends the connection.
  void feed(Bytes in, std::vector<std::uint8_t>& out);
  Counts take_counts() { return std::exchange(counts_, {}); }  // since the last call

 private:
  void begin_packet();
  Bytes take_body(Bytes in, std::vector<std::uint8_t>& out);
  void try_body(Bytes body, std::vector<std::uint8_t>& out);
  void copy(const Publish& publish, Bytes body, std::vector<std::uint8_t>& out);
  const std::string* topic_of(const Publish& publish, std::string& own);
  void end_packet(std::uint32_t to_skip);

  Version version_;
  std::string prefix_;
  std::uint32_t most_;
  FixedHeader header_{};
  std::vector<std::uint8_t> body_{};  // the start of a PUBLISH that came in pieces
  std::uint32_t need_ = 0;            // bytes of the body that are needed next; 0: no PUBLISH is being read
  std::uint32_t skip_ = 0;            // bytes of the current packet that are not needed
  std::unordered_map<std::uint16_t, std::string> aliases_{};
  std::size_t alias_bytes_ = 0;
  Counts counts_{};
  bool flawed_ = false;
};

}  // namespace mqtt
