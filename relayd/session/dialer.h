// Connects to the first of several addresses that accepts: "Happy Eyeballs", RFC 8305.
//
// After a failed attempt the next address is tried at once; if an attempt stays silent for kHeadStart, the next one
// starts beside it. The first connection wins and the others are closed. If the owner finds it useless (TLS fails or
// goes unanswered), the next address is tried within the same budget. The address book remembers the results; a lack
// of descriptors, memory or local ports on this machine counts against no address.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/uv.h"
#include "relayd/session/address_book.h"

namespace relayd {

class Dialer {
 public:
  static constexpr std::chrono::milliseconds kHeadStart{250};  // RFC 8305 section 5, "Connection Attempt Delay"
  static constexpr size_t kMostConnections = 3;                // connections per dialer: each may cost a signature

  // Causes that an operator can act on; an address has at most one, several addresses may have several.
  struct Causes {
    bool refused = false;   // nothing listens there
    bool silent = false;    // no answer within the budget
    bool no_route = false;  // this machine has no route
  };
  struct Failure {
    std::string text;  // each address tried, with its cause; bounded (kMaxCauses)
    Causes causes;
    bool busy = false;  // this machine is out of descriptors, memory or local ports; the broker is not to blame
  };
  // Called from the loop, never from the constructor or try_next(). Passes a connected non-blocking socket, or none and
  // the reason; after a failure it is not called again.
  using Done = void (*)(void* owner, common::Fd socket, const Failure& failure);

  // `budget` bounds all attempts together. The book must outlive the dialer.
  Dialer(uv_loop_t* loop, AddressBook& book, std::chrono::milliseconds budget, void* owner, Done done);
  ~Dialer();

  // `again`: if no other address is left, the same one is tried again in another way.
  enum class Last : uint8_t { final, again };

  // share(): how long the latest connection may take to prove useful, so that each remaining try gets an equal share of
  // the budget. left(): the remaining budget.
  std::chrono::milliseconds share(Last last) const;
  std::chrono::milliseconds left() const;
  bool has_more() const { return !to_try_.empty() && connections_ < kMostConnections; }
  // The owner's verdict on the latest connection. blame(): its address is tried last for AddressBook::kDemotion.
  void keep() { book_.promote(connected_); }
  void blame() { book_.demote(connected_, uv_now(loop_)); }
  // Blames the address and calls Done again: with the next connection, or, when addresses or time run out, the failure.
  void try_next(std::string_view cause, Last last);

 private:
  struct Attempt;
  enum class Fault { address, ports, machine };

  static Fault fault_of(int error);
  void next();
  bool begin(const SocketAddress& address);
  void on_ready(Attempt& attempt);
  void failed(const SocketAddress& address, std::string_view cause, Fault fault = Fault::address);
  void failed_by(int error, const SocketAddress& address, Fault fault);
  void on_deadline();
  void give_up();

  uv_loop_t* loop_;
  AddressBook& book_;
  const uint64_t until_;                 // uv_now
  std::vector<SocketAddress> to_try_;    // the next one first
  std::vector<SocketAddress> by_merit_;  // all of them, in the book's order at the start
  SocketAddress connected_{};
  size_t connections_ = 0;
  void* owner_;
  Done done_;
  Failure failure_;
  size_t causes_ = 0, omitted_ = 0;
  bool address_failed_ = false, ports_failed_ = false;
  std::vector<std::unique_ptr<Attempt>> attempts_;  // running, the oldest first
  common::Timer head_start_, deadline_;
};

// For both legs of every session: sends small packets without delay and detects dead peers.
void set_tcp_options(int socket);

}  // namespace relayd
