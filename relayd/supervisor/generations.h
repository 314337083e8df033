// All generations of relayd: the one that serves new devices, the one that a start or a reload prepares, and older
// ones, which live until their last session ends. Loop thread only.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "relayd/supervisor/generation.h"

namespace relayd {

struct Generations {
  std::unique_ptr<Generation> current, next;  // serving new devices; being prepared
  std::vector<std::unique_ptr<Generation>> old;

  template <typename Do>
  void for_each(Do action) const {
    for (const auto& generation : old) action(*generation);
    for (auto* generation : {current.get(), next.get()})
      if (generation) action(*generation);
  }

  // `next` serves: it takes the place of `current`, which retires.
  void advance();
  // Applies a reload to the sessions of older generations: what it revokes, and max_generations.
  void apply_to_old();
  // max_connections covers all generations' listeners of one name: the newest may have what the others' connections
  // leave over.
  void share_connections();
  // Destroys the old ones that are gone. Never inside their own callbacks.
  void drop_gone();
  // No process of any of them is left, and drop_gone() has seen it.
  bool gone() const;

  uint64_t connections() const;
  size_t accepting() const;  // as Generation's
  bool has_listener(const std::string& name) const;
  void add_to(Status& status) const;

  // As Generation's, for each of them.
  size_t disconnect(const Whom& whom, uint32_t request);
  bool tell_paused(const std::set<std::string>& listeners);
  bool tell_log_levels();
  OpenFeeds open_feeds(const FeedRequest& request);
};

}  // namespace relayd
