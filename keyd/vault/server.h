// Who may ask, and how: accepts workers, knows them by SO_PEERCRED, reads one request at a time, sends the answer.
//
// A bad message costs its sender the connection and nobody else anything. No peer can make keyd hold more than one
// request and the answers to it: what can't be sent waits, and until it is gone nothing is read from that peer.
// Each wake-up of the loop takes one request of each connection, so that workers take turns however much one of
// them asks. One thread, the loop's.
#pragma once

#include <uv.h>

#include <deque>
#include <list>
#include <vector>

#include "keyd/vault/service.h"

namespace keyd {

class Server {
 public:
  struct Limits {
    std::vector<uid_t> allowed_uids;
    size_t max_connections;
  };
  // `listening` is a listening SOCK_SEQPACKET, non-blocking; it and the others must outlive the server.
  Server(uv_loop_t& loop, int listening, Limits limits, Service& service, Audit& audit);
  // Closes everything. The loop must run once more to let go of the handles, before this object dies.
  void stop();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  size_t connections() const { return open_.size(); }

 private:
  struct Connection {
    Server* server = nullptr;
    common::Fd fd;
    uv_poll_t poll{};
    Peer peer;
    bool greeted = false;                      // HELLO was answered
    int watched = 0;                           // uv_poll events
    std::deque<std::vector<uint8_t>> waiting;  // answers that the peer's buffer had no room for
    std::list<Connection>::iterator self;
  };

  void resume_accepting();
  void accept_one();
  void accept_failed(int error);
  void start(common::Fd fd, const Peer& peer);
  void watch(Connection& connection);
  void close(Connection& connection);  // the connection is gone when it returns to the loop
  void read_one(Connection& connection);
  void handle(Connection& connection, std::span<const uint8_t> datagram, uint64_t wait_us);
  void greet(Connection& connection, uint32_t id, const ipc::Hello& hello);
  void refuse(Connection& connection, uint32_t id, ipc::Status status, const char* reason);
  void send(Connection& connection, std::span<const uint8_t> datagram);
  void flush(Connection& connection);

  int listening_;
  Limits limits_;
  Service& service_;
  Audit& audit_;
  uv_poll_t accept_poll_{};
  uv_timer_t accept_timer_{};  // runs while accepting is paused
  bool out_of_descriptors_ = false;
  std::list<Connection> open_, closing_;
};

}  // namespace keyd
