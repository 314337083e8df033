#include "common/trust/verdict_cache.h"

namespace trust {

const VerdictCache::Period* VerdictCache::find(const Key& key, int64_t now) {
  const Period* period = periods_.find(key);
  if (!period || (now >= period->from && now < period->until)) return period;
  periods_.drop(key);
  return nullptr;
}

}  // namespace trust
