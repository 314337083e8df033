// What must stand before an operator's command reads a private key: the same locked memory that serving has, but small.
#pragma once

#include <optional>

#include "keyd/startup/key_places.h"

namespace keyd::admin {

// Closes the process to others, for good: not dumpable, no core, no new privileges. Once, in the program, before the
// first KeyRoom.
void close_process();

// keyd's user: that of the keyd that runs, else "mqtt-keyd", else the owner of the keys. 0: unknown.
uid_t service_uid(const Settings& settings, std::optional<uid_t> running);

// Where keys are read, by the very code that reads them when keyd serves; locks the thread's stack too. One at a time.
struct KeyRoom {
  // Throws std::runtime_error if the memory can't be locked. A passphrase file that can't be used is none: it has a
  // check of its own.
  explicit KeyRoom(const Settings& settings);
  SecureSlots slots;
  WolfcryptMemory wolfcrypt;
  std::optional<Passphrase> passphrase;
  KeyReader reader;

 private:
  std::string_view open_passphrase(const Settings& settings);
};

}  // namespace keyd::admin
