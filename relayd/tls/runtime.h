// State that all streams of one worker share. One thread.
#pragma once

#include <uv.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "ipc/client.h"
#include "relayd/handover/tls_choices.h"
#include "relayd/tls/fiber.h"

namespace relayd::tls {

struct Runtime {
  // The most that one receive takes from a connection before the next connection has its turn. More is slower for bulk:
  // the buffers that a byte passes no longer stay in the processor's nearest caches.
  static constexpr size_t kReceive = 32 * 1024;
  // Plaintext of one receive: at most its ciphertext, plus one record that an earlier receive started.
  static constexpr size_t kPlain = kReceive + 20 * 1024;

  uv_loop_t* loop;
  ipc::Client* keyd;
  FiberPool fibers;
  // Scratch, filled and emptied within one event, so idle connections need no buffers of their own.
  std::array<uint8_t, kReceive> received;
  std::array<uint8_t, kPlain> plain;
  std::vector<uint8_t> to_send;

  // Data waiting for a slow peer never exceeds what one event brings: kPlain bytes, or less by Stream::limit_kept.
  Runtime(uv_loop_t* l, ipc::Client* k) : loop(l), keyd(k) {}
};

}  // namespace relayd::tls
