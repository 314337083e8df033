#include "keyd/admin/key_room.h"

#include <pwd.h>
#include <sys/stat.h>

namespace keyd::admin {
namespace {

constexpr size_t kSlots = 32;  // for one key at a time, and for wolfCrypt's own work

}  // namespace

uid_t service_uid(const Settings& settings, std::optional<uid_t> running) {
  if (running) return *running;
  if (const passwd* packaged = getpwnam("mqtt-keyd")) return packaged->pw_uid;
  struct stat info {};
  return stat(settings.private_keys_dir.path.c_str(), &info) == 0 ? info.st_uid : 0;
}

KeyRoom::KeyRoom(const Settings& settings)
    : slots(kSlots, sizeof(PrivateKey)), wolfcrypt(slots), reader(slots, open_passphrase(settings)) {
  lock_stack();
}

std::string_view KeyRoom::open_passphrase(const Settings& settings) try {
  return passphrase.emplace(settings.key_passphrase_file).text();
} catch (const std::runtime_error& error) {
  passphrase_problem = error.what();
  return {};
}

}  // namespace keyd::admin
