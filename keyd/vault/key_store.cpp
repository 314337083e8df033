#include "keyd/vault/key_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/log.h"
#include "ipc/codec.h"

namespace keyd {
namespace {

using ipc::Status;

constexpr int kMostSpellings = 8;

int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

}  // namespace

KeyStore::KeyStore(Place keys, Place listener, SecureSlots& device_slots, SecureSlots& listener_slots,
                   const Options& options)
    : keys_dir_(std::move(keys.path)),
      devices_(std::move(keys.directory), device_slots, options, 1),
      listeners_(std::move(listener.directory), listener_slots, options, options.listener_copies),
      options_(options) {
  listener_.file = listener.path.substr(listener.path.rfind('/') + 1);  // npos + 1 == 0
  listener_.path = std::move(listener.path);
}

KeyStore::Found KeyStore::find(ipc::Role role, std::string_view client_id, const ipc::Spki* certificate, bool opens) {
  const bool device = role == ipc::Role::device;
  if (device && !ipc::can_name_a_key(client_id)) return {Status::not_found, nullptr, "no file can have that name"};
  const std::string file = device ? std::string(client_id) + ".pem" : listener_.file;
  const auto found = [&](KeyFile* opened) {
    const std::lock_guard guard(mutex_);
    return device ? find_device(file, opened) : find_listener(certificate, opened);
  };
  Found first = found(nullptr);
  if (!first.sealed || !opens) return first;
  Room& room = device ? devices_ : listeners_;
  const std::lock_guard guard(room.opening);
  KeyFile opened =
      room.opener.read(room.directory.get(), file, device ? keys_dir_ + "/" + file : listener_.path, room.copies);
  return found(&opened);
}

KeyStore::Found KeyStore::find_device(const std::string& file, KeyFile* opened) {
  const auto known = by_file_.find(file);
  if (known != by_file_.end()) {
    entries_.splice(entries_.begin(), entries_, known->second);
  } else {
    entries_.emplace_front().file = file;
    entries_.front().path = keys_dir_ + "/" + file;
    by_file_.emplace(entries_.front().file, entries_.begin());
  }
  Entry& entry = entries_.front();
  Found found = look(devices_, entry, opened);
  if (found.key && is_listener_s(found.key->info().spki)) {
    found = {Status::unusable, nullptr,
             "it is the listener's key too: give the device a key and a certificate of its own"};
    if (std::exchange(entry.problem, found.reason) != found.reason)
      common::log::warning("a key file can't be used", {{"file", entry.path}, {"problem", found.reason}});
  }
  // A name without a usable file must not push a key out of the cache.
  const bool nothing = entry.keys.empty() && found.status != Status::unusable;
  const auto out = nothing                                 ? entries_.begin()
                   : entries_.size() > options_.cache_size ? std::prev(entries_.end())
                                                           : entries_.end();
  if (out == entries_.end()) return found;
  by_file_.erase(out->file);
  entries_.erase(out);
  return found;
}

std::string_view KeyStore::similar(std::string_view spellings) const {
  struct stat info {};
  for (int tries = 0; tries < kMostSpellings && !spellings.empty(); tries++) {
    const std::string_view id = spellings.substr(0, spellings.find('/'));
    spellings.remove_prefix(std::min(id.size() + 1, spellings.size()));
    const std::string file = std::string(id) + ".pem";
    if (ipc::can_name_a_key(id) && fstatat(devices_.directory.get(), file.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0)
      return id;
  }
  return {};
}

bool KeyStore::is_listener_s(const ipc::Spki& spki) const {
  return std::ranges::any_of(std::array{&listener_.keys, &previous_},
                             [&](const auto* keys) { return !keys->empty() && keys->front()->info().spki == spki; });
}

KeyStore::Found KeyStore::find_listener(const ipc::Spki* certificate, KeyFile* opened) {
  Found found = look(listeners_, listener_, opened);
  if (found.status == Status::busy) return found;
  if (!found.key || options_.now() >= previous_until_) previous_.clear();
  if (certificate && !previous_.empty() && previous_[0]->info().is_of(*certificate))
    found.key = previous_[listener_.turn % previous_.size()];
  return found;
}

KeyStore::Found KeyStore::look(Room& room, Entry& entry, KeyFile* opened) {
  struct stat info {};
  if (fstatat(room.directory.get(), entry.file.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    entry.settled = false;
    if (errno == ENOENT || errno == ENAMETOOLONG) {
      entry.keys.clear();
      return {};
    }
  }
  if (opened || !entry.settled || FileState::of(info) != entry.seen) {
    KeyFile file = opened ? std::move(*opened)
                          : room.reader.read(room.directory.get(), entry.file, entry.path, room.copies, false);
    if (file.sealed) return {Status::busy, nullptr, "", true};
    if (file.shortage) return {Status::busy, nullptr, file.problem};
    install(entry, std::move(file));
  }
  if (entry.keys.empty()) return {Status::unusable, nullptr, entry.problem};
  return {Status::ok, entry.keys[entry.turn++ % entry.keys.size()]};
}

// Replaces the entry's keys by the file's, and logs a new problem. A file that is allowed but broken leaves the old key
// in use, so half an update does not cut a device off.
void KeyStore::install(Entry& entry, KeyFile file) {
  const bool news = !file.problem.empty() && (file.problem != entry.problem || file.state != entry.seen);
  const bool keep = file.keys.empty() && !file.forbidden && !entry.keys.empty();
  entry.problem = std::move(file.problem);
  entry.seen = file.state;
  entry.settled = now_ns() - entry.seen.changed_ns > options_.settled_after.count();
  if (!keep) entry.keys.swap(file.keys);  // and `file` has the old one
  if (&entry == &listener_ && !entry.keys.empty() && !file.keys.empty() &&
      entry.keys[0]->info().spki != file.keys[0]->info().spki) {
    previous_ = std::move(file.keys);
    previous_until_ = options_.now() + kPreviousFor;
  }
  if (news)
    common::log::warning(
        keep ? "a key file can't be used; the key it held before stays in use" : "a key file can't be used",
        {{"file", entry.path}, {"problem", entry.problem}});
}

}  // namespace keyd
