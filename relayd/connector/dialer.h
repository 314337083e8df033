// Connects to the first of several addresses that accepts: "Happy Eyeballs", RFC 8305.
//
// After a failed attempt the next address is tried at once; if an attempt stays silent for kHeadStart, the next one
// starts beside it. The first connection wins and the others are closed. Another broker is no equal of the one before:
// it starts only after kBrokerHeadStart, so that a distant broker keeps its devices. Through a proxy, the first
// connection to the proxy asks for the broker (proxy_tunnel.h), and the next route is tried if the proxy refuses. The
// address book remembers the results; a lack of descriptors, memory or local ports on this machine counts against no
// address.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/uv.h"
#include "relayd/connector/address_book.h"
#include "relayd/connector/source_addresses.h"
#include "relayd/handover/connector_plan.h"
#include "relayd/handover/dial_failure.h"

namespace relayd::connector {

// How many sockets one worker's dials may have open; the rest of this process's descriptors belong to the others.
struct SocketQuota {
  size_t most = SIZE_MAX, used = 0;
};

class Dialer {
 public:
  static constexpr std::chrono::milliseconds kHeadStart{250};  // RFC 8305 section 5, "Connection Attempt Delay"
  // Of one broker before the next, or a third of the budget if that is shorter: a lost SYN is sent again after 1 s
  // (RFC 6298 section 2), and its answer may take as long.
  static constexpr std::chrono::milliseconds kBrokerHeadStart{2000};

  struct Result {
    common::Fd socket;        // connected, non-blocking; empty: none accepted
    Route route{};            // the socket's
    std::string text;         // the route in words: "192.0.2.1:8883"
    std::vector<Route> left;  // to try if this connection is useless, the next one first
    DialFailure failure;      // of the attempts that failed
  };
  // Called once from the loop, never from the constructor. The owner may destroy the dialer in it.
  using Done = void (*)(void* owner, Result result);

  // What dials share. All of it must outlive them. The book learns the results.
  struct Means {
    AddressBook& book;
    SocketQuota& quota;
    SourceAddresses& sources;
    const ConnectorPlan* through_proxy = nullptr;  // whose proxy leads to its brokers; null: there is no proxy
  };
  // `budget` bounds all attempts together. `to_try` is in the order of the book.
  Dialer(uv_loop_t* loop, const Means& means, std::vector<Route> to_try, std::chrono::milliseconds budget, void* owner,
         Done done);
  ~Dialer();

 private:
  struct Attempt;
  using Fault = DialFailure::Fault;

  static Fault fault_of(int error);
  void next();
  void on_head_start();
  bool begin(const Route& route);
  std::chrono::milliseconds head_start() const;
  void on_ready(Attempt& attempt);
  void failed(const Route& route, std::string_view cause, Fault fault = Fault::address);
  void note(int error);
  void begin_tunnel(std::unique_ptr<Attempt> attempt);
  void on_tunnel(const std::string& problem);
  void won(std::unique_ptr<Attempt> attempt);
  std::string text_of(const Route& route) const;
  const Config::Endpoint& broker_of(const Route& route) const { return means_.through_proxy->brokers[route.broker]; }
  void on_deadline();

  uv_loop_t* loop_;
  const Means means_;
  std::vector<Route> to_try_;          // the next one first
  const std::vector<Route> by_merit_;  // all of them, in the book's order at the start
  const std::chrono::milliseconds budget_;
  void* owner_;
  Done done_;
  DialFailure failure_;
  std::vector<std::unique_ptr<Attempt>> attempts_;  // running, the oldest first
  std::unique_ptr<Attempt> asking_;  // connected to the proxy, which has not answered yet; no other attempt runs
  common::Timer head_start_, deadline_;
};

}  // namespace relayd::connector
