// What an operator's command needs before it reads a private key: locked memory as when serving, but less of it.
#pragma once

#include <optional>

#include "keyd/startup/key_places.h"

namespace keyd::admin {

// keyd's user: that of the running keyd, otherwise "mqtt-keyd", otherwise the owner of the keys. 0: unknown.
uid_t service_uid(const Settings& settings, std::optional<uid_t> running);

// Reads keys with the same code as keyd when it serves. Locks the thread's stack too. One at a time, after
// common::harden_process().
struct KeyRoom {
  // Throws std::runtime_error if the memory can't be locked. With a passphrase file that can't be used, keyd would not
  // start; here it counts as none.
  explicit KeyRoom(const Settings& settings);
  std::string passphrase_problem;  // what keyd would report of that file; "": nothing
  SecureSlots slots;
  WolfcryptMemory wolfcrypt;
  std::optional<Passphrase> passphrase;
  KeyReader reader;

 private:
  std::string_view open_passphrase(const Settings& settings);
};

}  // namespace keyd::admin
