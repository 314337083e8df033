// A worker's side of the keyd protocol: asynchronous and bounded; it outlasts keyd's restarts.
//
// Requests are sent at once, or kept (up to max_pending) while keyd is away. After a reconnect all unanswered ones are
// sent again: signing twice does no harm. One that was sent kMostSends times is given up, because keyd may have ended
// the connection for it. Each ends within `timeout`, whatever happens. Reconnects wait 10 ms, doubling to 1 s. One
// thread: the loop's.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/fd.h"
#include "common/poll.h"
#include "common/uv.h"
#include "ipc/codec.h"

namespace ipc {

// Makes the connections of a client that can make no socket.
class ConnectionSource {
 public:
  // Called once, later: with a connected socket on which HELLO has been sent, or none and the reason.
  using Done = std::function<void(common::Fd connected, std::string_view problem)>;
  virtual void connect(Done done) = 0;  // at most one at a time
  virtual void forget() = 0;            // Done must not be called any more

 protected:
  ~ConnectionSource() = default;
};

class Client {
 public:
  static constexpr int kMostSends = 3;
  struct Options {
    std::string socket_path;  // at most 107 bytes, unix(7)
    uint16_t worker = 0;
    std::chrono::milliseconds timeout{5000};
    size_t max_pending = 4096;
    // Called for each answer before its callback: how long it took, in nanoseconds. May be empty.
    std::function<void(Op, uint64_t)> answered = {};
  };
  struct Answer {
    bool arrived = false;  // false: keyd gave none in time, or ended the connection; the rest means nothing then
    Status status = Status::internal;
    uint32_t retry_after_ms = 0;
    std::span<const uint8_t> payload;  // valid during the callback
  };
  using Callback = std::function<void(const Answer&)>;
  using Ticket = uint64_t;

  // The loop and `source` must outlive the client. Connects in the background: by itself, or through `source`.
  Client(uv_loop_t* loop, Options options, ConnectionSource* source = nullptr);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The callback comes exactly once, later, unless the ticket is cancelled. nullopt: max_pending are waiting
  // already, or a field is longer than the protocol allows; no callback comes.
  std::optional<Ticket> lookup(const Lookup& lookup, Callback callback) {
    return submit({0, lookup}, std::move(callback));
  }
  std::optional<Ticket> sign(const Sign& sign, Callback callback) { return submit({0, sign}, std::move(callback)); }
  // The callback's payload: Counters.
  std::optional<Ticket> stats(Callback callback);
  void cancel(Ticket ticket) { pending_.erase(ticket); }

  bool connected() const { return state_ == State::ready; }
  // What keyd last said, or what it says by default: whether a device's signature in TLS 1.3 needs the messages of the
  // remote handshake, and whether it needs a proof of the device's presence.
  bool bind_remote() const { return welcome_.bind_remote; }
  bool require_presence() const { return welcome_.require_presence; }
  const Mark& mark() const { return welcome_.mark; }  // the newest; the reference stays valid

 private:
  enum class State { waiting, greeting, ready };  // for a reconnect; for HELLO's answer; to serve
  struct Pending {
    Callback callback;
    std::vector<uint8_t> datagram;
    uint64_t deadline;  // uv_now() milliseconds
    uint64_t began;     // uv_hrtime() nanoseconds
    Op op;
    int sent = 0;  // times
  };

  std::optional<Ticket> submit(Request request, Callback callback);
  void connect();
  void take(common::Fd connected);
  void disconnect(std::string_view why);
  void greet();
  void on_ready(int events);
  void receive();
  void on_response(const Response& response);
  bool send(std::span<const uint8_t> datagram);
  void send_pending();
  void give_up_repeated();
  void expire();
  void arm_deadline();

  uv_loop_t* loop_;
  Options options_;
  ConnectionSource* source_;
  State state_ = State::waiting;
  common::Fd fd_;
  std::unique_ptr<common::Poll> poll_;
  common::Timer reconnect_, deadline_;
  std::chrono::milliseconds backoff_;
  RequestBuffer buffer_;  // 34 KiB: a fiber's stack should not have to carry it
  bool reported_away_ = false;
  Welcome welcome_;
  Ticket last_ticket_ = 0;             // the low 32 bits are the request's id on the wire
  Ticket sent_up_to_ = 0;              // on this connection
  std::map<Ticket, Pending> pending_;  // in order of submission, and so of deadline
};

}  // namespace ipc
