#include "keyd/admin/key_room.h"

#include "common/hardening.h"

namespace keyd::admin {

void close_process() { common::harden_process(); }

KeyRoom::KeyRoom(const Settings&) : slots(kWorkSlots, sizeof(PrivateKey)), wolfcrypt(slots), reader(slots) {
  lock_stack();
}

}  // namespace keyd::admin
