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

KeyStore::KeyStore(Place keys, Place listener, SecureSlots& slots, const Options& options)
    : keys_dir_(std::move(keys.path)),
      keys_fd_(std::move(keys.directory)),
      listener_fd_(std::move(listener.directory)),
      reader_(slots, options.passphrase),
      options_(options) {
  listener_.file = listener.path.substr(listener.path.rfind('/') + 1);  // npos + 1 == 0
  listener_.path = std::move(listener.path);
}

KeyStore::Found KeyStore::find(ipc::Role role, std::string_view client_id, const ipc::Spki* certificate) {
  if (role == ipc::Role::listener) return find_listener(certificate);
  if (!ipc::can_name_a_key(client_id)) return {Status::not_found, nullptr, "no file can have that name"};
  const std::string file = std::string(client_id) + ".pem";
  const auto known = by_file_.find(file);
  if (known != by_file_.end()) {
    entries_.splice(entries_.begin(), entries_, known->second);
  } else {
    entries_.emplace_front().file = file;
    entries_.front().path = keys_dir_ + "/" + file;
    by_file_.emplace(entries_.front().file, entries_.begin());
  }
  Entry& entry = entries_.front();
  Found found = look(keys_fd_.get(), entry, 1);
  if (found.key && is_listener_s(found.key->info().spki)) {
    found = {Status::unusable, nullptr,
             "it is the listener's key too: give the device a key and a certificate of its own"};
    if (std::exchange(entry.problem, found.reason) != found.reason)
      common::log::warning("a key file can't be used", {{"file", entry.path}, {"problem", found.reason}});
  }
  // A name without a file must not push a key out of the cache.
  const auto out = found.status == Status::not_found       ? entries_.begin()
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
    if (ipc::can_name_a_key(id) && fstatat(keys_fd_.get(), file.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) return id;
  }
  return {};
}

bool KeyStore::is_listener_s(const ipc::Spki& spki) const {
  return std::ranges::any_of(std::array{&listener_.keys, &previous_},
                             [&](const auto* keys) { return !keys->empty() && keys->front()->info().spki == spki; });
}

KeyStore::Found KeyStore::find_listener(const ipc::Spki* certificate) {
  Found found = look(listener_fd_.get(), listener_, options_.listener_copies);
  if (!found.key || options_.now() >= previous_until_) previous_.clear();
  if (certificate && !previous_.empty() && previous_[0]->info().is_of(*certificate))
    found.key = previous_[listener_.turn % previous_.size()];
  return found;
}

KeyStore::Found KeyStore::look(int directory, Entry& entry, size_t copies) {
  struct stat info {};
  if (fstatat(directory, entry.file.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    entry.settled = false;
    if (errno == ENOENT || errno == ENAMETOOLONG) {
      entry.keys.clear();
      return {};
    }
  }
  if (!entry.settled || FileState::of(info) != entry.seen) load(directory, entry, copies);
  if (entry.keys.empty()) return {Status::unusable, nullptr, entry.problem};
  return {Status::ok, entry.keys[entry.turn++ % entry.keys.size()], ""};
}

// Replaces the entry's keys by the file's, and logs a new problem. A file that is allowed but broken leaves the old key
// in use, so half an update does not cut a device off.
void KeyStore::load(int directory, Entry& entry, size_t copies) {
  KeyFile file = reader_.read(directory, entry.file, entry.path, copies);
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
