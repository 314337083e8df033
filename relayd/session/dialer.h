// Connects to the first of several addresses that accepts: "Happy Eyeballs", RFC 8305.
//
// An attempt that fails gives way to the next address at once; one that is silent has kHeadStart, then the next one is
// tried beside it. The first connection wins and the others are closed. What was learnt goes into the address book.
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

  struct Failure {
    std::string text;   // the addresses that were tried, each with its cause; of bounded size
    bool busy = false;  // this process has no descriptor or memory left: no broker's fault
  };
  // Once, never before the constructor has returned: a connected non-blocking socket, or none and why.
  using Done = void (*)(void* owner, common::Fd socket, const Failure& failure);

  // `budget` is for all of it. The book must outlive the dialer.
  Dialer(uv_loop_t* loop, AddressBook& book, std::chrono::milliseconds budget, void* owner, Done done);
  ~Dialer();

 private:
  struct Attempt;
  void next();
  bool begin(const SocketAddress& address);
  void on_ready(Attempt& attempt);
  void failed(const SocketAddress& address, const char* cause);
  void on_deadline();
  void give_up();

  uv_loop_t* loop_;
  AddressBook& book_;
  std::vector<SocketAddress> addresses_;
  size_t next_ = 0;  // of addresses_
  void* owner_;
  Done done_;
  Failure failure_;
  size_t causes_ = 0, unsaid_ = 0;
  std::vector<std::unique_ptr<Attempt>> attempts_;  // under way, the oldest first
  common::Timer head_start_, deadline_;
};

// What both legs of every session are: no delay for small packets, and dead peers noticed.
void set_tcp_options(int socket);

}  // namespace relayd
