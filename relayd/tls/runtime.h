// What all streams of one worker share. One thread.
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
  // One receive is at most this much of one connection; then the next one has its turn.
  static constexpr size_t kReceive = 64 * 1024;
  // Plaintext of one receive: no more than its ciphertext, and one record that an earlier receive began.
  static constexpr size_t kPlain = kReceive + 20 * 1024;

  uv_loop_t* loop;
  ipc::Client* keyd;
  FiberPool fibers;
  // Scratch: filled and emptied within one event, so that an idle connection has no buffer of its own.
  std::array<uint8_t, kReceive> received;
  std::array<uint8_t, kPlain> plain;
  std::vector<uint8_t> to_send;
  const size_t most_received;  // of kReceive

  // What one event brings is all that ever waits for a peer that reads slowly: `watermark` bytes at most, if that is
  // less than kPlain. At least kLeastWatermark.
  Runtime(uv_loop_t* l, ipc::Client* k, size_t watermark = kPlain)
      : loop(l), keyd(k), most_received(std::min(kReceive, watermark - kRecord)) {}
};

}  // namespace relayd::tls
