// Connects to the first of several addresses that accepts; one after the other, each with its share of the time.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/uv.h"
#include "relayd/socket_address.h"

namespace relayd {

class Dialer {
 public:
  // Once, never before the constructor has returned: a connected non-blocking socket, or none and why.
  using Done = void (*)(void* owner, common::Fd socket, const std::string& failure);

  Dialer(uv_loop_t* loop, std::vector<SocketAddress> addresses, std::chrono::milliseconds budget, void* owner,
         Done done);

 private:
  void next();
  void attempt_failed(const std::string& cause);
  void give_up();
  void on_writable();

  uv_loop_t* loop_;
  std::vector<SocketAddress> addresses_;
  size_t next_ = 0;
  std::chrono::milliseconds budget_;
  void* owner_;
  Done done_;
  std::string failure_ = "no address is known";
  common::Fd socket_;
  std::unique_ptr<common::Poll> poll_;
  common::Timer attempt_, give_up_;
};

// What both legs of every session are: no delay for small packets, and dead peers noticed.
void set_tcp_options(int socket);

}  // namespace relayd
