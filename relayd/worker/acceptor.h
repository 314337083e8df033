// Takes connections from listening sockets, no faster than it may and no more than there is room for.
//
// max_conn_rate: beyond it they wait in the kernel's queue, none is refused. max_connections and worker_max_memory:
// what comes on top is accepted and closed at once, so that a device soon knows and the queue does not fill with the
// hopeless. Without a descriptor: the same, by one that was kept for that. One thread.
#pragma once

#include <memory>
#include <vector>

#include "common/fd.h"
#include "common/log_limit.h"
#include "common/uv.h"
#include "relayd/handover/scoreboard.h"
#include "relayd/handover/socket_address.h"
#include "relayd/session/token_bucket.h"

namespace relayd {

class Acceptor {
 public:
  struct Options {
    int worker = 0;           // for the log
    common::Rate rate = {};   // of this worker
    uint64_t max_memory = 0;  // bytes, compared with counters.memory; 0: no limit
  };
  // A connected non-blocking socket.
  using Accepted = void (*)(void* owner, common::Fd socket, const SocketAddress& peer);

  // The counters' max_connections is obeyed; `connections` is the owner's to count.
  Acceptor(uv_loop_t* loop, std::vector<common::Fd> listeners, const Options& options, Counters& counters, void* owner,
           Accepted accepted);
  ~Acceptor();
  // Closes the listening sockets: for good.
  void stop();

 private:
  struct Listener;
  enum class Shed { none, connections, memory };

  void watch();
  void pause(uint64_t milliseconds);
  void on_ready(Listener& listener);
  bool take(Listener& listener);
  bool refuse_one(Listener& listener);
  Shed shed() const;
  void log_shed(const char* why);

  uv_loop_t* loop_;
  Options options_;
  Counters& counters_;
  void* owner_;
  Accepted accepted_;
  TokenBucket rate_;
  common::LogLimit log_limit_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  common::Fd spare_;
  common::Timer again_;
};

}  // namespace relayd
