#include "relayd/admin/device_rates.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace relayd::admin {
namespace {

std::string text(const Json& session, const char* name) {
  return session.contains(name) ? session[name].get<std::string>().substr(0, DeviceRates::kLongestText) : "";
}

uint64_t number(const Json& session, const char* name) {
  return session.contains(name) ? session[name].get<uint64_t>() : 0;
}

// What comes first in `order` is greatest; then the client id and the session decide, so that rows keep their places.
bool is_before(DeviceOrder order, const DeviceSession& a, const DeviceSession& b) {
  const auto by = [&](auto first, auto second) {
    if (first != second) return first > second;
    return std::tie(a.client_id, a.session) < std::tie(b.client_id, b.session);
  };
  switch (order) {
    case DeviceOrder::bytes: return by(a.bytes_rate(), b.bytes_rate());
    case DeviceOrder::messages: return by(a.messages_rate.value_or(0), b.messages_rate.value_or(0));
    case DeviceOrder::total: return by(a.bytes, b.bytes);
    case DeviceOrder::age: return by(b.seconds, a.seconds);
    case DeviceOrder::client: return by(0, 0);
  }
  return false;
}

}  // namespace

void DeviceRates::begin(Clock::time_point at) {
  next_.clear();
  counting_.clear();
  next_at_ = at;
}

void DeviceRates::add(const Json& session) {
  if (full()) return;
  const Counts counts{number(session, "bytes_up"), number(session, "bytes_down"),
                      number(session, "messages_up") + number(session, "messages_down")};
  DeviceSession one{.session = text(session, "session"),
                    .client_id = text(session, "client_id"),
                    .address = text(session, "device"),
                    .state = text(session, "state"),
                    .route = text(session, "route"),
                    .seconds = number(session, "seconds"),
                    .bytes = counts.bytes_up + counts.bytes_down,
                    .messages = counts.messages};
  compare(one, counts);
  counting_.insert_or_assign(one.session, counts);
  next_.push_back(std::move(one));
}

// A session that the list before did not have began since then, unless it is older than that list.
void DeviceRates::compare(DeviceSession& session, const Counts& counts) const {
  const double seconds = std::chrono::duration<double>(next_at_ - at_).count();
  if (!has_before_ || seconds <= 0) return;
  const auto found = before_.find(session.session);
  if (found == before_.end() && static_cast<double>(session.seconds) > seconds + 1) return;
  const Counts earlier = found == before_.end() ? Counts{} : found->second;
  const auto rate = [&](uint64_t now, uint64_t then) {
    return now < then ? 0 : static_cast<double>(now - then) / seconds;
  };
  session.bytes_up = rate(counts.bytes_up, earlier.bytes_up);
  session.bytes_down = rate(counts.bytes_down, earlier.bytes_down);
  session.messages_rate = rate(counts.messages, earlier.messages);
}

void DeviceRates::end(uint64_t all) {
  current_ = std::exchange(next_, {});
  before_ = std::exchange(counting_, {});
  at_ = next_at_;
  has_before_ = true;
  all_ = std::max<uint64_t>(all, current_.size());
}

void DeviceRates::clear() { *this = {}; }

std::vector<DeviceSession> DeviceRates::first(DeviceOrder order, size_t most) const {
  std::vector<const DeviceSession*> all;
  for (const DeviceSession& one : current_) all.push_back(&one);
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(std::min(most, all.size()));
  std::partial_sort(all.begin(), end, all.end(),
                    [order](const auto* a, const auto* b) { return is_before(order, *a, *b); });
  std::vector<DeviceSession> first;
  std::for_each(all.begin(), end, [&](const DeviceSession* one) { first.push_back(*one); });
  return first;
}

}  // namespace relayd::admin
