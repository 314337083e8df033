#include "tests/faults/fleet.h"

#include <algorithm>
#include <numeric>

namespace faults {
namespace {

// A tick looks at every device.
milliseconds tick_for(size_t devices) { return milliseconds(devices <= 1000 ? 5 : 25); }

bool speaks_version_5(size_t device) { return device % 3 != 0; }

template <typename Key>
void add(std::map<Key, size_t>& to, const std::map<Key, size_t>& from) {
  for (const auto& [key, count] : from) to[key] += count;
}

void add(Sightings& to, const Sightings& from) {
  to.losses += from.losses;
  to.recoveries.insert(to.recoveries.end(), from.recoveries.begin(), from.recoveries.end());
  to.losses_at.insert(to.losses_at.end(), from.losses_at.begin(), from.losses_at.end());
  add(to.causes, from.causes);
  add(to.failures, from.failures);
  to.failed_in_a_row = std::max(to.failed_in_a_row, from.failed_in_a_row);
  add(to.connacks, from.connacks);
  add(to.disconnects, from.disconnects);
  to.published += from.published;
  to.acknowledged += from.acknowledged;
  to.sent_again += from.sent_again;
  to.sessions_missing += from.sessions_missing;
  to.violations.insert(to.violations.end(), from.violations.begin(), from.violations.end());
}

template <typename Map, typename Name>
std::string list(const char* title, const Map& map, Name name) {
  std::string text;
  for (const auto& [key, count] : map)
    text += std::string(text.empty() ? "" : ", ") + name(key) + " x" + std::to_string(count);
  return text.empty() ? "" : std::string("; ") + title + ": " + text;
}

}  // namespace

std::string Figures::text() const {
  const auto number = [](int code) { return std::to_string(code); };
  const auto word = [](const std::string& s) { return s; };
  std::string text = std::to_string(up) + " of " + std::to_string(devices) + " devices up, " +
                     std::to_string(disturbed) + " disturbed, published " + std::to_string(seen.published) +
                     ", acknowledged " + std::to_string(seen.acknowledged) + ", in flight " +
                     std::to_string(in_flight) + ", sent again " + std::to_string(seen.sent_again);
  text += list("losses", seen.causes, word) + list("failed attempts", seen.failures, word) +
          list("CONNACK codes", seen.connacks, number) + list("DISCONNECT codes", seen.disconnects, number);
  for (const auto& violation : seen.violations) text += "\n  " + violation;
  return text;
}

Fleet::Fleet(const std::vector<harness::Relay*>& relays, const FleetOptions& options, const harness::Endpoint& to)
    : behaviour_(options.behaviour), thread_(tick_for(options.devices), [this](Clock::time_point now) {
        for (auto& device : devices_) device->on_tick(now);
      }) {
  behaviour_.to = to;
  behaviour_.window = options.window;
  behaviour_.pause = milliseconds(static_cast<int64_t>(1000 * static_cast<double>(options.devices * behaviour_.window) /
                                                       options.messages_per_second));
  std::vector<harness::Identity> identities;
  std::vector<harness::TlsContext> contexts;
  for (size_t i = 0; i < std::min(options.identities, options.devices); ++i) {
    identities.push_back(harness::device_identity("p256", static_cast<int>(i) + 1));
    contexts.push_back(
        harness::TlsContext::client(&identities.back(), harness::authorities().root, harness::TlsVersion::v1_3));
  }
  for (size_t i = 0; i < options.devices; ++i) {
    const auto& identity = identities[i % identities.size()];
    const auto client_id = options.prefix + std::to_string(i);
    for (auto* relay : relays) relay->give_key(client_id, identity.key);
    const int level = speaks_version_5(i) ? harness::mqtt::v5 : harness::mqtt::v311;
    devices_.push_back(std::make_unique<Publisher>(client_id, level, contexts[i % contexts.size()], behaviour_,
                                                   thread_.epoll(), static_cast<uint32_t>(i + 1)));
  }
}

Figures Fleet::add_up() const {
  Figures sum{.devices = devices_.size()};
  for (const auto& device : devices_) {
    sum.up += device->up();
    sum.disturbed += device->seen().losses > 0;
    sum.in_flight += device->in_flight();
    add(sum.seen, device->seen());
  }
  auto& recoveries = sum.seen.recoveries;
  std::sort(recoveries.begin(), recoveries.end());
  if (!recoveries.empty()) {
    sum.slowest_recovery = recoveries.back();
    sum.usual_recovery = recoveries[recoveries.size() / 2];
  }
  return sum;
}

Figures Fleet::figures() {
  return thread_.ask([this] { return add_up(); });
}

void Fleet::mark() {
  thread_.ask([this] {
    for (auto& device : devices_) device->seen() = {};
  });
}

void Fleet::wait(std::function<bool()> holds, const std::string& what, Deadline deadline) {
  if (!thread_.wait(std::move(holds), deadline))
    throw harness::Failure("the deadline came before " + what + ": " + figures().text());
}

void Fleet::wait_for(std::function<bool(const Figures&)> holds, const std::string& what, Deadline deadline) {
  wait([this, holds = std::move(holds)] { return holds(add_up()); }, what, deadline);
}

void Fleet::wait_all_up(Deadline deadline) {
  wait([this] { return std::all_of(devices_.begin(), devices_.end(), [](const auto& d) { return d->up(); }); },
       "all devices were up", deadline);
}

void Fleet::wait_progress(size_t messages, Deadline deadline) {
  const auto acknowledged = [this] {
    return std::accumulate(devices_.begin(), devices_.end(), size_t{0},
                           [](size_t sum, const auto& d) { return sum + d->seen().acknowledged; });
  };
  const size_t enough = thread_.ask(acknowledged) + messages;
  wait([=] { return acknowledged() >= enough; }, std::to_string(messages) + " more messages were acknowledged",
       deadline);
}

void Fleet::stop_publishing_and_settle(Deadline deadline) {
  thread_.ask([this] { behaviour_.publishing = false; });
  wait([this] { return std::all_of(devices_.begin(), devices_.end(), [](const auto& d) { return d->settled(); }); },
       "all messages were acknowledged", deadline);
}

void Fleet::resume_publishing() {
  thread_.ask([this] { behaviour_.publishing = true; });
}

std::set<std::string> Fleet::disturbed() {
  return thread_.ask([this] {
    std::set<std::string> ids;
    for (const auto& device : devices_)
      if (device->seen().losses > 0) ids.insert(device->client_id());
    return ids;
  });
}

std::vector<Ledger> Fleet::ledgers() {
  return thread_.ask([this] {
    std::vector<Ledger> all;
    for (const auto& device : devices_) all.push_back({device->client_id(), device->acknowledged()});
    return all;
  });
}

size_t Fleet::size_of_version_5() const {
  size_t count = 0;
  for (size_t i = 0; i < devices_.size(); ++i) count += speaks_version_5(i);
  return count;
}

void Fleet::vanish() {
  thread_.ask([this] {
    for (auto& device : devices_) device->vanish(Clock::now());
  });
}

}  // namespace faults
