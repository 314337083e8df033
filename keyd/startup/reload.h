// keyd reads its configuration again (SIGHUP).
//
// The process with keys parses nothing and opens no configuration. A copy of it does, the reader, made before the first
// key was read. It reads the files with their drop-ins as at the start, compares them with what runs, and answers with
// numbers, or with why nothing changes. It has no key and no network, can write no file and run no program (Landlock,
// seccomp), and exits when keyd does. One datagram asks, one answers; SOCK_SEQPACKET.
#pragma once

#include <uv.h>

#include <functional>

#include "common/fd.h"
#include "common/syscall_filter.h"
#include "keyd/startup/settings.h"

namespace keyd {

// What keyd changes while it runs. Everything else needs a restart.
struct Changeable {
  bool allow_tls12_client = true;
  size_t max_queue = 0, max_connections = 0;
  common::Rate worker_rate, key_rate;
  common::log::Settings log;
};

// The reader's answer.
struct ReloadAnswer {
  bool ok = false;
  char text[2048] = "";  // ok: the settings that have changed, "" if none has; otherwise why nothing changes
  Changeable now;        // if ok
};

// Compares what runs with what was read. Sets `running` to it, unless a setting has changed that needs a restart; the
// answer then names each of these.
ReloadAnswer compare(Settings& running, Settings read);

// Starts the reader; returns keyd's end of its socket, non-blocking. Call before there is a second thread or a key in
// memory. `running` was loaded with the same arguments. Throws std::system_error.
common::Fd start_reader(const std::string& config, const Overrides& overrides, const Settings& running);

// What the reader may do.
common::CallList reader_calls();

// Asks the reader, and applies its answer. One thread, the loop's.
class Reload {
 public:
  using Apply = std::function<void(const Changeable&)>;
  Reload(uv_loop_t& loop, common::Fd reader, Apply apply);
  void ask();   // also while an earlier question waits for its answer
  void stop();  // the loop must run once more before this object dies
  // Why the last reload changed nothing; "" if it did, or if there was none.
  const std::string& refusal() const { return refusal_; }

 private:
  void receive();
  common::Fd reader_;
  Apply apply_;
  uv_poll_t poll_{};
  std::string refusal_;
};

}  // namespace keyd
