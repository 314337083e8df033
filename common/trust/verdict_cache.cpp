#include "common/trust/verdict_cache.h"

namespace trust {

const VerdictCache::Period* VerdictCache::find(const Key& key, int64_t now) {
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  const Period& period = found->second->period;
  if (now < period.from || now >= period.until) {
    entries_.erase(found->second);
    index_.erase(found);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  return &entries_.front().period;
}

void VerdictCache::add(const Key& key, Period period) {
  if (const auto found = index_.find(key); found != index_.end()) {
    found->second->period = period;
    return;
  }
  if (index_.size() >= most_) {
    index_.erase(entries_.back().key);
    entries_.pop_back();
  }
  entries_.push_front({key, period});
  index_.emplace(key, entries_.begin());
}

}  // namespace trust
