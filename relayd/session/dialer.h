// Connects to the first of several addresses that accepts: "Happy Eyeballs", RFC 8305.
//
// An attempt that fails gives way to the next address at once; one that is silent has kHeadStart, then the next one is
// tried beside it. The first connection wins and the others are closed. If its owner finds that nobody useful is behind
// it (TLS fails, or is not answered), the next address is tried, within the same budget. What was learnt goes into the
// address book; what this machine lacks (descriptors, memory, local ports) is held against no address.
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
  static constexpr size_t kMostConnections = 3;  // that an owner may find useless: each may cost a signature

  struct Failure {
    std::string text;   // the addresses that were tried, each with its cause; of bounded size
    bool busy = false;  // this machine has no descriptor, memory or local port left: no broker's fault
  };
  // Never before the constructor or try_next() has returned: a connected non-blocking socket, or none and why; then it
  // was the last time.
  using Done = void (*)(void* owner, common::Fd socket, const Failure& failure);

  // `budget` is for all of it. The book must outlive the dialer.
  Dialer(uv_loop_t* loop, AddressBook& book, std::chrono::milliseconds budget, void* owner, Done done);
  ~Dialer();

  // Whether the same address is tried once more, in another way, if there is no other one.
  enum class Last : uint8_t { final, again };

  // Of the connection that was brought last: how long it may take to prove useful, so that every try that is left has
  // an equal share of the budget; and what is left of the budget in all.
  std::chrono::milliseconds share(Last last) const;
  std::chrono::milliseconds left() const;
  bool has_more() const { return !to_try_.empty() && connections_ < kMostConnections; }
  // It is useful; or not, and why: its address is tried last for a while.
  void keep() { book_.promote(connected_); }
  void blame() { book_.demote(connected_, uv_now(loop_)); }
  // blame(), and Done comes again. Without another address or time left it comes with what failed.
  void try_next(std::string_view cause, Last last);

 private:
  struct Attempt;
  enum class Fault { address, ports, machine };

  static Fault fault_of(int error);
  void next();
  bool begin(const SocketAddress& address);
  void on_ready(Attempt& attempt);
  void failed(const SocketAddress& address, std::string_view cause, Fault fault = Fault::address);
  void on_deadline();
  void give_up();

  uv_loop_t* loop_;
  AddressBook& book_;
  const uint64_t until_;                 // uv_now
  std::vector<SocketAddress> to_try_;    // the next one first
  std::vector<SocketAddress> by_merit_;  // all, as the book had them at the start
  SocketAddress connected_{};
  size_t connections_ = 0;
  void* owner_;
  Done done_;
  Failure failure_;
  size_t causes_ = 0, unsaid_ = 0;
  bool address_failed_ = false, ports_failed_ = false;
  std::vector<std::unique_ptr<Attempt>> attempts_;  // under way, the oldest first
  common::Timer head_start_, deadline_;
};

// What both legs of every session are: no delay for small packets, and dead peers noticed.
void set_tcp_options(int socket);

}  // namespace relayd
