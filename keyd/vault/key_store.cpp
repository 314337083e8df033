#include "keyd/vault/key_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
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

KeyStore::KeyStore(Place keys, std::vector<Place> own, SecureSlots& device_slots, SecureSlots& own_slots,
                   const Options& options)
    : keys_(std::move(keys)), options_(options), of_devices_(device_slots, options), of_own_(own_slots, options) {
  for (Place& place : own) {
    Entry entry{place.path.substr(place.path.rfind('/') + 1), place.path};  // npos + 1 == 0
    own_.push_back({place.role, std::move(place.directory), std::move(entry)});
  }
}

KeyStore::Found KeyStore::find(ipc::Role role, std::string_view name, const ipc::Spki* certificate, Effort effort,
                               bool signs) {
  if (role == ipc::Role::device)
    return ipc::can_name_a_key(name) ? find_in(nullptr, std::string(name) + ".pem", nullptr, effort)
                                     : Found{Status::not_found, nullptr, "no file can have that name"};
  std::optional<Found> other;
  for (OwnKey& own : own_) {
    if (own.role != role || (!name.empty() && name != own.entry.path)) continue;
    Found found = find_in(&own, own.entry.file, signs ? certificate : nullptr, effort);
    if (found.status == Status::busy || (found.key && (!certificate || found.key->info().is_of(*certificate))))
      return found;
    if (!other || (other->key && !found.key)) other = std::move(found);
  }
  return other.value_or(Found());
}

KeyStore::Found KeyStore::find_in(OwnKey* own, const std::string& file, const ipc::Spki* previous, Effort effort) {
  Readers& readers = own ? of_own_ : of_devices_;
  const int directory = (own ? own->directory : keys_.directory).get();
  const auto found = [&](KeyFile* read) {
    struct stat info {};
    std::optional now = FileState();
    if (fstatat(directory, file.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) now = FileState::of(info);
    else if (errno == ENOENT || errno == ENAMETOOLONG) now.reset();
    const std::lock_guard guard(mutex_);
    return own ? find_own(*own, previous, now, read) : find_device(file, now, read);
  };
  const auto read = [&](KeyReader& reader, std::mutex& turn, bool opens) {
    const std::lock_guard guard(turn);
    KeyFile fresh = reader.read(directory, file, own ? own->entry.path : keys_.path + "/" + file, opens);
    return found(&fresh);
  };
  if (!own && effort == Effort::none) {  // only the disk may know the name
    const std::lock_guard guard(mutex_);
    if (!by_file_.contains(file)) return must(Effort::reads);
  }
  Found first = found(nullptr);
  if (first.needs == Effort::reads && effort != Effort::none) first = read(readers.reader, readers.reading, false);
  return first.needs == Effort::opens && effort == Effort::opens ? read(readers.opener, readers.opening, true) : first;
}

KeyStore::Found KeyStore::find_device(const std::string& file, const std::optional<FileState>& now, KeyFile* read) {
  const auto known = by_file_.find(file);
  if (known != by_file_.end()) {
    entries_.splice(entries_.begin(), entries_, known->second);
  } else {
    entries_.emplace_front().file = file;
    entries_.front().path = keys_.path + "/" + file;
    by_file_.emplace(entries_.front().file, entries_.begin());
  }
  Entry& entry = entries_.front();
  Found found = look(entry, now, read);
  keep_apart(ipc::Role::device, entry, found);
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
    if (ipc::can_name_a_key(id) && fstatat(keys_.directory.get(), file.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0)
      return id;
  }
  return {};
}

KeyStore::Found KeyStore::find_own(OwnKey& own, const ipc::Spki* previous, const std::optional<FileState>& now,
                                   KeyFile* read) {
  auto& [role, directory, entry, replaced, until] = own;
  const auto before = entry.key;
  Found found = look(entry, now, read);
  if (found.status == Status::busy) return found;
  if (before && found.key && before->info().spki != found.key->info().spki)
    replaced = before, until = options_.now() + kPreviousFor;
  if (!found.key || options_.now() >= until) replaced = nullptr;
  if (previous && replaced && replaced->info().is_of(*previous)) found.key = replaced;
  keep_apart(role, entry, found);
  return found;
}

void KeyStore::keep_apart(ipc::Role role, Entry& entry, Found& found) const {
  const auto same = [&](const auto& key) { return key && key->info().spki == found.key->info().spki; };
  const auto has = [&](const OwnKey& own) { return own.role != role && (same(own.entry.key) || same(own.previous)); };
  if (!found.key || std::ranges::none_of(own_, has)) return;
  found = {Status::unusable, nullptr,
           "relayd has the same key for another purpose (listener_keyfile, local_keyfile): give each a key and a "
           "certificate of its own"};
  if (std::exchange(entry.problem, found.reason) != found.reason)
    common::log::warning("key_unusable", "a key file can't be used", {{"file", entry.path}, {"problem", found.reason}});
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
  if (!keep) entry.key = std::move(file.key);
  if (news)
    common::log::warning(
        "key_unusable", "a key file can't be used",
        {{"file", entry.path}, {"problem", entry.problem}, {"key_before", keep ? "stays in use" : "none"}});
}

}  // namespace keyd
