// A bounded map that drops its least recently used entry. Inside common/trust only.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <list>
#include <unordered_set>
#include <utility>

namespace trust {

using Sha256 = std::array<uint8_t, 32>;

// A SHA-256 needs no further hashing: an attacker needs 2^64 hashes for each entry whose first 8 bytes it wants to
// choose.
struct FirstBytes {
  size_t operator()(const Sha256& key) const noexcept {
    size_t value = 0;
    std::memcpy(&value, key.data(), sizeof value);
    return value;
  }
};

template <typename Key, typename Value, typename Hash = FirstBytes>
class Recent {
 public:
  explicit Recent(size_t most) : most_(most) {}

  size_t size() const { return index_.size(); }

  // Makes the entry the most recent one. Null: there is none. Allocates nothing.
  Value* find(const Key& key) noexcept {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, *found);
    return &entries_.front().value;
  }

  // Replaces the value of an entry with the same key.
  void add(const Key& key, Value value) {
    if (Value* known = find(key)) {
      *known = std::move(value);
      return;
    }
    if (index_.size() >= most_) drop(entries_.back().key);
    entries_.push_front({key, std::move(value)});
    index_.insert(entries_.begin());
  }

  void drop(const Key& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return;
    const auto entry = *found;
    index_.erase(found);
    entries_.erase(entry);
  }

 private:
  struct Entry {
    Key key;
    Value value;
  };
  using Place = typename std::list<Entry>::iterator;
  // The index holds no second copy of a key.
  struct HashOf {
    using is_transparent = void;
    size_t operator()(const Key& key) const noexcept { return Hash()(key); }
    size_t operator()(Place place) const noexcept { return Hash()(place->key); }
  };
  struct Same {
    using is_transparent = void;
    bool operator()(Place a, Place b) const noexcept { return a->key == b->key; }
    bool operator()(const Key& key, Place place) const noexcept { return key == place->key; }
    bool operator()(Place place, const Key& key) const noexcept { return key == place->key; }
  };

  size_t most_;
  std::list<Entry> entries_;  // the most recently used entry first
  std::unordered_set<Place, HashOf, Same> index_;
};

}  // namespace trust
