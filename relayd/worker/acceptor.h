// Accepts connections from the listening sockets, within max_conn_rate, max_connections and worker_max_memory.
//
// Connections over max_conn_rate wait in the kernel's queue and are not refused. Connections over max_connections or
// worker_max_memory are accepted and closed at once: the device learns it quickly, and the queue does not fill with
// connections that can't be served. The same happens to an address over its own rate. When descriptors run out, a spare
// one is freed to do the same. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/log_limit.h"
#include "common/uv.h"
#include "relayd/handover/scoreboard.h"
#include "relayd/handover/socket_address.h"
#include "relayd/session/address_rates.h"
#include "relayd/session/token_bucket.h"

namespace relayd {

class Acceptor {
 public:
  struct Options {
    int worker = 0;             // for the log
    std::string listener = {};  // for the log
    common::Rate rate = {};     // this worker's share
    int backlog = 0;            // of its sockets: the longest queue
    uint64_t max_memory = 0;    // bytes, compared with counters.memory; 0: no limit
    // Judges whoever connects; outlives the acceptor. null: nobody is judged, because a load balancer connects.
    AddressRates* addresses = nullptr;
  };
  // Passes a connected non-blocking socket.
  using Accepted = void (*)(void* owner, common::Fd socket, const SocketAddress& peer);

  // `sockets` of one listener, whose numbers are `listener`: obeys its max_connections, counts what it accepts, and the
  // owner maintains its connections.
  Acceptor(uv_loop_t* loop, std::vector<common::Fd> sockets, const Options& options, Counters& counters,
           Counters::Listener& listener, void* owner, Accepted accepted);
  ~Acceptor();
  // Accepts what waits in the queues now, without regard to the rate: nobody else will, and closing would reset it. At
  // most a full queue of each socket, so that a flood doesn't hold up the caller.
  void take_all();
  // Leaves connections in the queues until it is let go; take_all() still takes them.
  void hold(bool held);
  // Closes the listening sockets for good.
  void stop();

 private:
  struct Socket;
  enum class Shed { none, connections, memory };

  void watch();
  void keep_spare();
  void pause(uint64_t milliseconds);
  void on_ready(Socket& socket);
  bool take(Socket& from);
  bool refuse_one(Socket& from);
  Shed shed() const;
  bool admits(const SocketAddress& peer);
  void count_accepted();
  void log_shed(const char* why);

  uv_loop_t* loop_;
  Options options_;
  Counters& counters_;
  Counters::Listener& listener_;
  void* owner_;
  Accepted accepted_;
  TokenBucket rate_;
  common::LogLimit log_limit_, address_limit_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  common::Fd spare_;
  common::Timer again_;
  bool held_ = false;
};

}  // namespace relayd
