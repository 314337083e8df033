#include "keyd/admin/key_room.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "common/hardening.h"

namespace keyd::admin {
namespace {

constexpr size_t kSlots = 32;  // one key at a time, and what wolfCrypt needs to work

}  // namespace

void close_process() { common::harden_process(); }

uid_t service_uid(const Settings& settings, std::optional<uid_t> running) {
  if (running) return *running;
  if (const passwd* packaged = getpwnam("mqtt-keyd")) return packaged->pw_uid;
  struct stat info {};
  return stat(settings.private_keys_dir.path.c_str(), &info) == 0 ? info.st_uid : 0;
}

void become(uid_t user) {
  const passwd* entry = getpwuid(user);
  const gid_t group = entry ? entry->pw_gid : user;
  const int groups = entry ? initgroups(entry->pw_name, group) : setgroups(0, nullptr);
  if (groups != 0 || setresgid(group, group, group) != 0 || setresuid(user, user, user) != 0)
    throw std::system_error(errno, std::generic_category(), "can't become keyd's user, " + std::to_string(user));
}

KeyRoom::KeyRoom(const Settings& settings)
    : slots(kSlots, sizeof(PrivateKey)), wolfcrypt(slots), reader(slots, open_passphrase(settings)) {
  lock_stack();
}

std::string_view KeyRoom::open_passphrase(const Settings& settings) try {
  return passphrase.emplace(settings.key_passphrase_file).text();
} catch (const std::runtime_error&) {
  return {};
}

}  // namespace keyd::admin
