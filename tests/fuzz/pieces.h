// Cuts an input into pieces, as a network may. The input's own first bytes say where.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

// The first byte gives the number of sizes that follow it (at most 15), one byte each. They are used in turn,
// repeatedly. A size of 0 is an empty piece in the first turn, and ends the cutting in the second.
class Pieces {
 public:
  explicit Pieces(std::span<const uint8_t> input) {
    if (input.empty()) return;
    const size_t sizes = std::min<size_t>(input[0] & 15, input.size() - 1);
    sizes_ = input.subspan(1, sizes);
    stream_ = input.subspan(1 + sizes);
  }

  std::span<const uint8_t> whole() const { return stream_; }

  // Calls take(piece) for each; stops once it returns false.
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
