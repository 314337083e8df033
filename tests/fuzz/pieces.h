// Cuts an input into a stream's pieces, as a network may, by the input's own first bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

// The first byte says how many bytes behind it are sizes (at most 15); those sizes are used in turn, again and again.
// A size of 0 is an empty piece at first, and ends the cutting in the second turn.
class Pieces {
 public:
  explicit Pieces(std::span<const uint8_t> input) {
    if (input.empty()) return;
    const size_t sizes = std::min<size_t>(input[0] & 15, input.size() - 1);
    sizes_ = input.subspan(1, sizes);
    stream_ = input.subspan(1 + sizes);
  }

  std::span<const uint8_t> whole() const { return stream_; }

  // take(piece) for each; stops once it returns false.
  template <typename Take>
  void each(Take&& take) const {
    auto rest = stream_;
    for (size_t turn = 0; !rest.empty(); turn++) {
      size_t size = sizes_.empty() ? 1 : sizes_[turn % sizes_.size()];
      if (size == 0 && turn >= sizes_.size()) size = rest.size();
      size = std::min(size, rest.size());
      if (!take(rest.first(size))) return;
      rest = rest.subspan(size);
    }
  }

 private:
  std::span<const uint8_t> sizes_, stream_;
};
