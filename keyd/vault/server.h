// Accepts workers, identifies them, reads one request at a time from each and sends the answer.
//
// SO_PEERCRED names the process that connected: a worker's connector, whose HELLO names the worker
// (ipc::Hello::series). A worker has one connection; a second one ends the first.
//
// A bad message costs its sender the connection and affects no other peer. The server does not read from a peer that
// does not read its answers, closes a connection that sends no HELLO in time, and gives one process at most half
// of max_connections and one more. Each turn of the loop takes 16 requests at most from each connection, and the
// workers' requests take turns (signer_pool.h), however much one of them asks. A refused connection is audited. One
// thread, the loop's.
#pragma once

#include <uv.h>

#include <chrono>
#include <deque>
#include <map>
#include <vector>

#include "keyd/vault/service.h"

namespace keyd {

class Server {
 public:
  struct Limits {
    std::vector<uid_t> allowed_uids;
    size_t max_connections;
    uint64_t hello_timeout_ms = 5000;  // from a connection's start to its HELLO; it is closed before twice this time
  };
  // `listening` is a listening SOCK_SEQPACKET, non-blocking; it and the others must outlive the server.
  Server(uv_loop_t& loop, int listening, Limits limits, Service& service, Audit& audit);
  // Closes everything. The loop must run once more, which frees the handles, before this object dies.
  void stop();
  Limits& limits() { return limits_; }  // a running server takes a change of max_connections
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  struct Connection {
    Server* server = nullptr;
    uint64_t number = 0;
    uint64_t since_ms = 0;  // uv_now()
    common::Fd fd;
    uv_poll_t poll{};
    Peer peer;
    std::shared_ptr<std::atomic<bool>> gone = std::make_shared<std::atomic<bool>>(false);  // shared with peer.gone
    bool greeted = false;                                                                  // HELLO was answered
    bool stamped = false;                      // the kernel puts a time stamp on each datagram
    int watched = 0;                           // uv_poll events
    std::deque<std::vector<uint8_t>> waiting;  // answers for which the peer's buffer had no room
  };

  void resume_accepting();
  void accept_one();
  const char* why_not(const Peer& peer) const;
  void accept_failed(int error);
  void close_silent();
  void start(common::Fd fd, const Peer& peer);
  void watch(Connection& connection);
  void close(Connection& connection);  // destroyed once the loop runs again
  bool read_one(Connection& connection);
  void handle(Connection& connection, std::vector<uint8_t> datagram, uint64_t wait_us);
  void greet(Connection& connection, uint32_t id, const ipc::Hello& hello);
  void reply(uint64_t number, std::span<const uint8_t> datagram);
  void refuse(Connection& connection, uint32_t id, ipc::Status status, const char* reason);
  void send(Connection& connection, std::span<const uint8_t> datagram);
  void flush(Connection& connection);

  int listening_;
  Limits limits_;
  Service& service_;
  Audit& audit_;
  uv_poll_t accept_poll_{};
  uv_timer_t accept_timer_{};  // runs while accepting is paused
  uv_timer_t silence_timer_{};
  bool out_of_descriptors_ = false;
  std::map<uint64_t, Connection> open_, closing_;  // by number
  uint64_t last_number_ = 0;
  std::array<uint8_t, ipc::kMaxRequest> buffer_;  // of the datagram that is being handled
};

}  // namespace keyd
