// How devices' last connections ended, for `mqtt-relay explain`: a worker slot's workers write it, of all generations,
// and the supervisor reads it. The memory outlives them.
//
// A table of fixed records in shared memory. A device has one record, which its next ending replaces, so a device that
// comes again and again pushes no other one out; when the table is full, the oldest ending makes room. A device is
// known by its client id, or, if it got no further than its certificate, by the common name in it. Names in
// certificates that were refused prove nothing: they have a few records of their own, so a stranger can push out no
// device. A connection without either name, as of a scanner or a probe, is not recorded.
//
// Any worker may write anything at any time: what is read is a claim, its lengths checked, its bytes untrusted.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/fd.h"
#include "relayd/handover/shared_memory.h"
#include "relayd/handover/siphash.h"

namespace relayd {

// Texts that are too long are cut.
struct Ending {
  int64_t at = 0;  // milliseconds since 1970
  uint64_t session = 0;
  bool was_up = false;  // the session had come up
  bool proven = true;   // false: the name is from a certificate that was refused
  std::string client_id = {}, common_name = {}, device = {}, listener = {}, why = {}, fix = {};
};

class EndingsTable {
 public:
  static constexpr size_t kDevices = 256, kUnproven = 32;

  // Creates the memory (SharedMemory). Throws std::system_error if there is none.
  static common::Fd create();
  // Maps the memory from create(); does not keep `fd`. Throws std::system_error if `fd` is something else.
  explicit EndingsTable(int fd);

  // Does nothing without a client id and a common name.
  void remember(const Ending& ending);
  // The last ending of this client id, or of a certificate with this common name whose device got no further.
  std::optional<Ending> last(std::string_view client_id) const;

 private:
  struct Record {
    std::atomic<uint64_t> version;  // odd while it is written
    std::atomic<uint64_t> device;   // 0: none
    int64_t at;
    uint64_t session;
    uint8_t was_up, proven;
    uint16_t client_id_size, common_name_size, device_size, listener_size, why_size, fix_size;
    char client_id[256], common_name[128], address[56], listener[64], why[768], fix[512];
  };
  struct Memory {
    alignas(64) SipKey key;
    alignas(64) Record devices[kDevices];
    Record unproven[kUnproven];
  };
  uint64_t hash(char kind, std::string_view name) const;
  static std::optional<Ending> read(const Record& record, uint64_t device);

  SharedMemory mapping_;
  Memory* memory_;
  const SipKey key_;  // a copy: any worker can overwrite the shared one
};

}  // namespace relayd
