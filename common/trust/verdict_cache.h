// Earlier verdicts, found by a hash of all their inputs. Bounded: the least recently used entry is dropped. Exact: an
// entry answers only within the period in which nothing changes that its verdict depends on.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <list>
#include <unordered_map>

namespace trust {

class VerdictCache {
 public:
  using Key = std::array<uint8_t, 32>;  // SHA-256
  struct Period {
    int64_t from = 0, until = 0;  // unix seconds; `until` itself is outside
  };

  explicit VerdictCache(size_t most) : most_(most) {}

  // The period of an accepted chain, or null. Drops the entry if `now` is outside its period.
  const Period* find(const Key& key, int64_t now);
  void add(const Key& key, Period period);

 private:
  // A SHA-256 needs no further hashing: an attacker needs 2^64 hashes for each entry whose first 8 bytes it wants to
  // choose.
  struct FirstBytes {
    size_t operator()(const Key& key) const {
      size_t value = 0;
      std::memcpy(&value, key.data(), sizeof value);
      return value;
    }
  };
  struct Entry {
    Key key;
    Period period;
  };

  size_t most_;
  std::list<Entry> entries_;  // the most recently used entry first
  std::unordered_map<Key, std::list<Entry>::iterator, FirstBytes> index_;
};

}  // namespace trust
