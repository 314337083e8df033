#include "relayd/supervisor/log_overrides.h"

#include <algorithm>
#include <stdexcept>

namespace relayd {
namespace {

std::string_view name(common::log::Level level) { return common::log::kLevelNames[static_cast<size_t>(level)]; }

}  // namespace

std::optional<LogOverrides::Changed> LogOverrides::change(const LogChange& change, Level configured, uint64_t now) {
  Changed changed{change.client_id, levels(configured).of(change.client_id), configured, change.seconds};
  auto found = std::ranges::find(all_, change.client_id, &Override::client_id);
  if (change.level) {
    if (found == all_.end()) {
      if (!change.client_id.empty() && levels(configured).clients.size() == LogLevels::kMostClients)
        throw std::runtime_error(std::to_string(LogLevels::kMostClients) +
                                 " client ids have a level of their own, the most that can; `mqtt-relay log-level` "
                                 "shows them, `mqtt-relay log-level default --client ID` takes one back");
      found = all_.insert(all_.end(), {change.client_id});
    }
    found->level = *change.level;
    found->until = change.seconds == 0 ? 0 : now + change.seconds * 1000;
  } else if (found == all_.end()) {
    return std::nullopt;
  } else {
    all_.erase(found);
  }
  changed.after = levels(configured).of(change.client_id);
  return changed;
}

std::vector<LogOverrides::Changed> LogOverrides::expire(Level configured, uint64_t now) {
  std::vector<std::string> over;
  for (const Override& one : all_)
    if (one.until != 0 && one.until <= now) over.push_back(one.client_id);
  std::vector<Changed> all;
  for (const std::string& client_id : over) all.push_back(*change({.client_id = client_id}, configured, now));
  return all;
}

LogLevels LogOverrides::levels(Level configured) const {
  LogLevels levels{.level = configured};
  for (const Override& one : all_) {
    if (one.client_id.empty()) levels.level = one.level;
    else levels.clients.push_back({one.client_id, one.level});
  }
  return levels;
}

std::string in_words(const std::optional<LogOverrides::Changed>& changed, const LogChange& change) {
  const bool own = change.client_id.empty();
  if (!changed) return own ? "relayd's log level was not set by command" : "this client id has no log level of its own";
  std::string words = own ? "relayd's log level is " : "the log level of this client id's sessions is ";
  words.append(name(changed->after)).append(", it was ").append(name(changed->before));
  if (!change.level) return words + (own ? ", as configured" : "; it is relayd's own again");
  words += "; it holds through reloads, until ";
  if (change.seconds != 0) words += std::to_string(change.seconds) + " s are over, ";
  return words + "`mqtt-relay log-level default" + (own ? "" : " --client ID") + "`, or a restart of relayd";
}

void log_change(const LogOverrides::Changed& changed, const Requester& requester) {
  common::log::warning("log_level_changed", "a log level is changed by the operator",
                       {{"client_id", changed.client_id},
                        {"old", name(changed.before)},
                        {"new", name(changed.after)},
                        {"seconds", changed.seconds},
                        {"pid", requester.pid},
                        {"uid", requester.uid}});
}

void log_kept(const LogOverrides& overrides, common::log::Level configured) {
  if (overrides.all().empty()) return;
  const LogLevels levels = overrides.levels(configured);
  common::log::warning(
      "log_level_kept", "log levels that the operator has set hold on; `mqtt-relay log-level` shows and ends them",
      {{"level", name(levels.level)}, {"configured", name(configured)}, {"clients", levels.clients.size()}});
}

void log_expiry(const LogOverrides::Changed& changed) {
  common::log::warning("log_level_over", "the time of a log level is over",
                       {{"client_id", changed.client_id}, {"old", name(changed.before)}, {"new", name(changed.after)}});
}

}  // namespace relayd
