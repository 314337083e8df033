// Verdicts that were found before, by a hash of all that they were found from. Bounded: the one that was not asked for
// longest leaves. Exact: an entry answers only within the time in which nothing that the verdict rests on changes.
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

  // The period of an accepted chain, if `now` is within; an entry that is outside is dropped.
  const Period* find(const Key& key, int64_t now);
  void add(const Key& key, Period period);
  size_t size() const { return index_.size(); }

 private:
  // A SHA-256 needs no hashing again; who can choose its first bytes for many entries has 2^64 hashes to make for each.
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
  std::list<Entry> entries_;  // the one that was asked for last is first
  std::unordered_map<Key, std::list<Entry>::iterator, FirstBytes> index_;
};

}  // namespace trust
