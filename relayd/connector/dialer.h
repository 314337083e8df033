// Connects to the first of several addresses that accepts: "Happy Eyeballs", RFC 8305.
//
// After a failed attempt the next address is tried at once; if an attempt stays silent for kHeadStart, the next one
// starts beside it. The first connection wins and the others are closed. The address book remembers the results; a lack
// of descriptors, memory or local ports on this machine counts against no address.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/uv.h"
#include "relayd/connector/address_book.h"
#include "relayd/handover/dial_failure.h"

namespace relayd::connector {

// How many sockets one worker's dials may have open; the rest of this process's descriptors belong to the others.
struct SocketQuota {
  size_t most = SIZE_MAX, used = 0;
};

class Dialer {
 public:
  static constexpr std::chrono::milliseconds kHeadStart{250};  // RFC 8305 section 5, "Connection Attempt Delay"

  struct Result {
    common::Fd socket;                // connected, non-blocking; empty: none accepted
    SocketAddress address{};          // the socket's
    std::vector<SocketAddress> left;  // to try if this connection is useless, the next one first
    DialFailure failure;              // of the attempts that failed
  };
  // Called once from the loop, never from the constructor. The owner may destroy the dialer in it.
  using Done = void (*)(void* owner, Result result);

  // `budget` bounds all attempts together. `to_try` is in the order of `book`, which learns the results. Book and quota
  // must outlive the dialer.
  Dialer(uv_loop_t* loop, AddressBook& book, SocketQuota& quota, std::vector<SocketAddress> to_try,
         std::chrono::milliseconds budget, void* owner, Done done);
  ~Dialer();

 private:
  struct Attempt;
  using Fault = DialFailure::Fault;

  static Fault fault_of(int error);
  void next();
  void on_head_start();
  bool begin(const SocketAddress& address);
  void on_ready(Attempt& attempt);
  void failed(const SocketAddress& address, std::string_view cause, Fault fault = Fault::address);
  void failed_by(int error, const SocketAddress& address, Fault fault);
  void on_deadline();

  uv_loop_t* loop_;
  AddressBook& book_;
  SocketQuota& quota_;
  std::vector<SocketAddress> to_try_;          // the next one first
  const std::vector<SocketAddress> by_merit_;  // all of them, in the book's order at the start
  void* owner_;
  Done done_;
  DialFailure failure_;
  std::vector<std::unique_ptr<Attempt>> attempts_;  // running, the oldest first
  common::Timer head_start_, deadline_;
};

}  // namespace relayd::connector
