#include "relayd/supervisor/generations.h"

#include "common/log.h"

namespace relayd {

namespace log = common::log;

void Generations::advance() {
  if (current) {
    current->retire();
    old.push_back(std::move(current));
  }
  current = std::move(next);
}

void Generations::apply_to_old() {
  const Revocations revocations = current->revocations();
  if (!revocations.listeners.empty())
    for (auto& generation : old) generation->revoke(revocations);
  const auto most = static_cast<size_t>(current->config().max_generations) - 1;
  for (size_t i = 0; i + most < old.size(); i++) {
    log::warning("generation_drained", "more generations than max_generations serve; relayd drains the oldest",
                 {{"generation", old[i]->number()}, {"connections", old[i]->connections()}});
    old[i]->drain();
  }
}

void Generations::share_connections() {
  Generation* newest = next ? next.get() : current.get();
  for (size_t i = 0; newest && i < newest->config().listeners.size(); i++) {
    const std::string& name = newest->config().listeners[i].name;
    const auto& most = newest->config().listeners[i].max_connections;
    if (!most) continue;
    uint64_t elsewhere = 0;
    for_each([&](Generation& generation) { elsewhere += &generation == newest ? 0 : generation.connections(name); });
    newest->allow_connections(i, *most > elsewhere ? *most - elsewhere : 0);
  }
}

void Generations::drop_gone() {
  std::erase_if(old, [](const auto& generation) {
    if (generation->gone())
      log::info("generation_ended", "generation has ended", {{"generation", generation->number()}});
    return generation->gone();
  });
}

bool Generations::gone() const {
  const auto is_gone = [](const auto& generation) { return !generation || generation->gone(); };
  return old.empty() && is_gone(current) && is_gone(next);
}

uint64_t Generations::connections() const {
  uint64_t sum = 0;
  for_each([&](const Generation& generation) { sum += generation.connections(); });
  return sum;
}

size_t Generations::accepting() const {
  size_t sum = 0;
  for_each([&](const Generation& generation) { sum += generation.accepting(); });
  return sum;
}

bool Generations::has_listener(const std::string& name) const {
  bool has = false;
  for_each([&](const Generation& generation) { has = has || generation.has_listener(name); });
  return has;
}

void Generations::add_to(Status& status) const {
  for_each([&](const Generation& generation) { generation.add_to(status); });
  if (!current) return;
  status.generation = current->number();
  status.remote = names_of(current->config().brokers);
  status.brokers = addresses_of(current->config().brokers);
}

size_t Generations::disconnect(const Whom& whom, uint32_t request) {
  size_t asked = 0;
  for_each([&](Generation& generation) { asked += generation.disconnect(whom, request); });
  return asked;
}

bool Generations::tell_paused(const std::set<std::string>& listeners) {
  bool told = true;
  for (const std::string& name : listeners)
    for_each([&](Generation& generation) { told = generation.tell_paused(name) && told; });
  return told;
}

bool Generations::tell_log_levels() {
  bool told = true;
  for_each([&](Generation& generation) { told = generation.tell_log_levels() && told; });
  return told;
}

OpenFeeds Generations::open_feeds(const FeedRequest& request) {
  OpenFeeds open;
  for_each([&](Generation& generation) { generation.open_feeds(request, open); });
  return open;
}

}  // namespace relayd
