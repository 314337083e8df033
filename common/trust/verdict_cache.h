// Earlier verdicts, found by a hash of all their inputs. Bounded: the least recently used entry is dropped. Exact: an
// entry answers only within the period in which nothing changes that its verdict depends on.
#pragma once

#include "common/trust/recent.h"

namespace trust {

class VerdictCache {
 public:
  using Key = Sha256;
  struct Period {
    int64_t from = 0, until = 0;  // unix seconds; `until` itself is outside
  };

  explicit VerdictCache(size_t most) : periods_(most) {}

  // The period of an accepted chain, or null. Drops the entry if `now` is outside its period.
  const Period* find(const Key& key, int64_t now);
  void add(const Key& key, Period period) { periods_.add(key, period); }

 private:
  Recent<Key, Period> periods_;
};

}  // namespace trust
