// What must stand before an operator's command reads a private key: the same locked memory that serving has, but small.
#pragma once

#include <optional>

#include "keyd/settings.h"
#include "keyd/vault/key_file.h"

namespace keyd::admin {

// Locked slots beside the cached keys: the listener's, and what wolfCrypt needs to work.
inline constexpr size_t kWorkSlots = 32;
// What serving locks with these settings.
inline size_t locked_slots(const Settings& settings) { return settings.key_cache + kWorkSlots; }

// Closes the process to others, for good: not dumpable, no core, no new privileges. Once, in the program, before the
// first KeyRoom.
void close_process();

// Whom keyd runs as: the user of the keyd that runs, the user "mqtt-keyd", or the owner of the keys. 0: nothing tells.
uid_t service_uid(const Settings& settings, std::optional<uid_t> running);
// Root sees what keyd's user may not, and to root a file of that user has the wrong owner: becomes that user, for good.
// Throws std::system_error.
void become(uid_t user);

// Where keys are read, by the very code that reads them when keyd serves; locks the thread's stack too. One at a time.
struct KeyRoom {
  explicit KeyRoom(const Settings& settings);  // throws std::runtime_error if the memory can't be locked
  SecureSlots slots;
  WolfcryptMemory wolfcrypt;
  KeyReader reader;
};

}  // namespace keyd::admin
