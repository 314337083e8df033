#include "relayd/handover/endings.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace relayd {
namespace {

template <size_t N>
void put(char (&into)[N], uint16_t& size, std::string_view text) {
  size = static_cast<uint16_t>(std::min(text.size(), N));
  memcpy(into, text.data(), size);
}

template <size_t N>
std::string get(const char (&from)[N], uint16_t size) {
  return {from, std::min<size_t>(size, N)};
}

constexpr int kMostTries = 3;  // a record that changes as often while it is read is another one by now

}  // namespace

common::Fd EndingsTable::create() { return SharedMemory::create("mqtt-relay-endings", sizeof(Memory)); }

EndingsTable::EndingsTable(int fd)
    : mapping_(fd, sizeof(Memory)), memory_(static_cast<Memory*>(mapping_.get())), key_(memory_->key) {}

uint64_t EndingsTable::hash(char kind, std::string_view name) const {
  const std::span kinds(reinterpret_cast<const uint8_t*>(&kind), 1);
  const std::span bytes(reinterpret_cast<const uint8_t*>(name.data()), name.size());
  return std::max<uint64_t>(siphash(key_, kinds, bytes), 1);
}

void EndingsTable::remember(const Ending& ending) {
  const bool by_id = !ending.client_id.empty();
  if (!by_id && ending.common_name.empty()) return;
  const uint64_t device = by_id ? hash('i', ending.client_id) : hash('n', ending.common_name);
  const std::span<Record> records =
      ending.proven ? std::span<Record>(memory_->devices) : std::span<Record>(memory_->unproven);
  const auto is_its = [&](const Record& record) { return record.device.load(std::memory_order_relaxed) == device; };
  auto record = std::ranges::find_if(records, is_its);
  if (record == records.end()) record = std::ranges::min_element(records, {}, &Record::at);  // 0: a free one
  // Another generation's worker may take the same record at the same time. The reader gets a mixture then, as from a
  // worker that writes nonsense.
  const uint64_t version = record->version.load(std::memory_order_relaxed) | 1;
  record->version.store(version, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  record->device.store(device, std::memory_order_relaxed);
  record->at = ending.at;
  record->session = ending.session;
  record->was_up = ending.was_up;
  record->proven = ending.proven;
  put(record->client_id, record->client_id_size, ending.client_id);
  put(record->common_name, record->common_name_size, ending.common_name);
  put(record->address, record->device_size, ending.device);
  put(record->listener, record->listener_size, ending.listener);
  put(record->why, record->why_size, ending.why);
  put(record->fix, record->fix_size, ending.fix);
  record->version.store(version + 1, std::memory_order_release);
}

std::optional<Ending> EndingsTable::read(const Record& record, uint64_t device) {
  for (int i = 0; i < kMostTries; i++) {
    const uint64_t before = record.version.load(std::memory_order_acquire);
    if (record.device.load(std::memory_order_relaxed) != device) return std::nullopt;
    Ending ending{.at = record.at,
                  .session = record.session,
                  .was_up = record.was_up != 0,
                  .proven = record.proven != 0,
                  .client_id = get(record.client_id, record.client_id_size),
                  .common_name = get(record.common_name, record.common_name_size),
                  .device = get(record.address, record.device_size),
                  .listener = get(record.listener, record.listener_size),
                  .why = get(record.why, record.why_size),
                  .fix = get(record.fix, record.fix_size)};
    std::atomic_thread_fence(std::memory_order_acquire);
    if (before % 2 == 0 && record.version.load(std::memory_order_relaxed) == before) return ending;
  }
  return std::nullopt;
}

std::optional<Ending> EndingsTable::last(std::string_view client_id) const {
  std::optional<Ending> last;
  const auto look = [&](std::span<const Record> records, uint64_t device) {
    for (const Record& record : records)
      if (auto ending = read(record, device); ending && (!last || ending->at > last->at)) last = std::move(ending);
  };
  if (client_id.empty()) return last;
  look(memory_->devices, hash('i', client_id));
  look(memory_->devices, hash('n', client_id));
  look(memory_->unproven, hash('n', client_id));
  return last;
}

}  // namespace relayd
