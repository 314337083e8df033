// What all streams of one worker share. One thread.
#pragma once

#include <uv.h>

#include <array>
#include <cstdint>
#include <vector>

#include "ipc/client.h"
#include "relayd/tls/fiber.h"

namespace relayd::tls {

struct Runtime {
  // One receive is at most this much of one connection; then the next one has its turn.
  static constexpr size_t kReceive = 64 * 1024;
  // Plaintext of one receive: no more than its ciphertext, and one record that an earlier receive began (16 KiB, RFC
  // 8446 section 5.1, and its overhead).
  static constexpr size_t kPlain = kReceive + 20 * 1024;

  uv_loop_t* loop;
  ipc::Client* keyd;
  FiberPool fibers;
  // Scratch: filled and emptied within one event, so that an idle connection has no buffer of its own.
  std::array<uint8_t, kReceive> received;
  std::array<uint8_t, kPlain> plain;
  std::vector<uint8_t> to_send;

  Runtime(uv_loop_t* l, ipc::Client* k) : loop(l), keyd(k) {}
};

}  // namespace relayd::tls
