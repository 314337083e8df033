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

KeyStore::Found must(KeyStore::Effort effort) { return {Status::busy, nullptr, "", effort}; }

}  // namespace

KeyStore::KeyStore(Place keys, Place listener, SecureSlots& device_slots, SecureSlots& listener_slots,
                   const Options& options)
    : keys_dir_(std::move(keys.path)),
      devices_(std::move(keys.directory), device_slots, options),
      listeners_(std::move(listener.directory), listener_slots, options),
      options_(options) {
  listener_.file = listener.path.substr(listener.path.rfind('/') + 1);  // npos + 1 == 0
  listener_.path = std::move(listener.path);
}

KeyStore::Found KeyStore::find(ipc::Role role, std::string_view client_id, const ipc::Spki* certificate,
                               Effort effort) {
  const bool device = role == ipc::Role::device;
  if (device && !ipc::can_name_a_key(client_id)) return {Status::not_found, nullptr, "no file can have that name"};
  const std::string file = device ? std::string(client_id) + ".pem" : listener_.file;
  Room& room = device ? devices_ : listeners_;
  const auto found = [&](KeyFile* read) {
    struct stat info {};
    std::optional now = FileState();
    if (fstatat(room.directory.get(), file.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) now = FileState::of(info);
    else if (errno == ENOENT || errno == ENAMETOOLONG) now.reset();
    const std::lock_guard guard(mutex_);
    return device ? find_device(file, now, read) : find_listener(certificate, now, read);
  };
  const auto read = [&](KeyReader& reader, std::mutex& turn, bool opens) {
    const std::lock_guard guard(turn);
    KeyFile fresh = reader.read(room.directory.get(), file, device ? keys_dir_ + "/" + file : listener_.path, opens);
    return found(&fresh);
  };
  if (device && effort == Effort::none) {  // only the disk may know the name
    const std::lock_guard guard(mutex_);
    if (!by_file_.contains(file)) return must(Effort::reads);
  }
  Found first = found(nullptr);
  if (first.needs == Effort::reads && effort != Effort::none) first = read(room.reader, room.reading, false);
  return first.needs == Effort::opens && effort == Effort::opens ? read(room.opener, room.opening, true) : first;
}

KeyStore::Found KeyStore::find_device(const std::string& file, const std::optional<FileState>& now, KeyFile* read) {
  const auto known = by_file_.find(file);
  if (known != by_file_.end()) {
    entries_.splice(entries_.begin(), entries_, known->second);
  } else {
    entries_.emplace_front().file = file;
    entries_.front().path = keys_dir_ + "/" + file;
    by_file_.emplace(entries_.front().file, entries_.begin());
  }
  Entry& entry = entries_.front();
  Found found = look(entry, now, read);
  if (found.key && is_listener_s(found.key->info().spki)) {
    found = {Status::unusable, nullptr,
             "it is the listener's key too: give the device a key and a certificate of its own"};
    if (std::exchange(entry.problem, found.reason) != found.reason)
      common::log::warning("a key file can't be used", {{"file", entry.path}, {"problem", found.reason}});
  }
  // A name without a usable file must not push a key out of the cache.
  const bool nothing = !entry.key && entry.problem.empty();
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
  return std::ranges::any_of(std::array{listener_.key.get(), previous_.get()},
                             [&](const auto* key) { return key && key->info().spki == spki; });
}

KeyStore::Found KeyStore::find_listener(const ipc::Spki* certificate, const std::optional<FileState>& now,
                                        KeyFile* read) {
  Found found = look(listener_, now, read);
  if (found.status == Status::busy) return found;
  if (!found.key || options_.now() >= previous_until_) previous_ = nullptr;
  if (certificate && previous_ && previous_->info().is_of(*certificate)) found.key = previous_;
  return found;
}

KeyStore::Found KeyStore::look(Entry& entry, const std::optional<FileState>& now, KeyFile* read) {
  if (!now) {
    entry.settled = false;
    entry.key = nullptr;
    entry.problem.clear();
    return {};
  }
  if (read && read->sealed) return must(Effort::opens);
  if (read && read->shortage) return {Status::busy, nullptr, read->problem};
  if (read) install(entry, std::move(*read));
  else if (!entry.settled || now != entry.seen) return must(Effort::reads);
  if (!entry.key) return {Status::unusable, nullptr, entry.problem};
  return {Status::ok, entry.key};
}

// Replaces the entry's key by the file's, and logs a new problem. A file that is allowed but broken leaves the old key
// in use, so half an update does not cut a device off.
void KeyStore::install(Entry& entry, KeyFile file) {
  const bool news = !file.problem.empty() && (file.problem != entry.problem || file.state != entry.seen);
  const bool keep = !file.key && !file.forbidden && entry.key;
  entry.problem = std::move(file.problem);
  entry.seen = file.state;
  entry.settled = now_ns() - entry.seen.changed_ns > options_.settled_after.count();
  if (!keep) entry.key.swap(file.key);  // and `file` has the old one
  if (&entry == &listener_ && entry.key && file.key && entry.key->info().spki != file.key->info().spki) {
    previous_ = std::move(file.key);
    previous_until_ = options_.now() + kPreviousFor;
  }
  if (news)
    common::log::warning(
        keep ? "a key file can't be used; the key it held before stays in use" : "a key file can't be used",
        {{"file", entry.path}, {"problem", entry.problem}});
}

}  // namespace keyd
