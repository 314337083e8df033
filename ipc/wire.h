// How a field of our protocols is written and read: big-endian integers, values of closed enums, counted bytes.
//
// Both sides are bounded and remember their first error: a Writer that had no room says 0 bytes, a Reader that missed
// bytes or met an unknown value is never done(). No allocation; a Reader's answers are views into its input.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace ipc {

class Writer {
 public:
  explicit Writer(std::span<uint8_t> out) : out_(out) {}

  // Writes an integer or a closed enum in its own width.
  template <typename Value>
  Writer& integer(Value value) {
    uint8_t bytes[sizeof value];
    for (size_t i = 0; i < sizeof value; i++)
      bytes[i] = static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * (sizeof value - 1 - i)));
    return raw(bytes);
  }
  Writer& raw(std::span<const uint8_t> bytes) {
    if (bytes.size() > out_.size() - used_) overflow_ = true;
    if (overflow_ || bytes.empty()) return *this;
    std::memcpy(out_.data() + used_, bytes.data(), bytes.size());
    used_ += bytes.size();
    return *this;
  }
  // A length of `Length`'s width, then the bytes; more than `most` of them is an overflow.
  template <typename Length>
  Writer& counted(std::span<const uint8_t> bytes, size_t most) {
    if (bytes.size() > most) overflow_ = true;
    return integer(static_cast<Length>(bytes.size())).raw(bytes);
  }
  size_t size() const { return overflow_ ? 0 : used_; }

 private:
  std::span<uint8_t> out_;
  size_t used_ = 0;
  bool overflow_ = false;
};

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> in) : in_(in) {}

  template <typename Integer>
  Integer integer() {
    uint64_t value = 0;
    for (const uint8_t byte : take(sizeof(Integer))) value = value << 8 | byte;
    return static_cast<Integer>(value);
  }
  // A value of a closed enum: anything but those listed is an error.
  template <typename Enum, size_t N>
  Enum closed(const std::array<Enum, N>& allowed) {
    const auto value = static_cast<Enum>(integer<std::underlying_type_t<Enum>>());
    must(std::find(allowed.begin(), allowed.end(), value) != allowed.end());
    return value;
  }
  template <size_t N>
  void raw(std::array<uint8_t, N>& out) {
    const auto bytes = take(N);
    std::copy(bytes.begin(), bytes.end(), out.begin());
  }
  template <typename Length>
  std::span<const uint8_t> counted(size_t most) {
    const size_t length = integer<Length>();
    must(length <= most);
    return take(length);
  }
  void must(bool good) { failed_ = failed_ || !good; }
  // True if every byte was read, and none was missing.
  bool done() const { return !failed_ && in_.empty(); }

 private:
  std::span<const uint8_t> take(size_t size) {
    must(size <= in_.size());
    if (failed_) return {};
    const auto bytes = in_.first(size);
    in_ = in_.subspan(size);
    return bytes;
  }
  std::span<const uint8_t> in_;
  bool failed_ = false;
};

}  // namespace ipc
