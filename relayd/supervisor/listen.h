// The listening sockets: held by the supervisor for good, so that a dead worker's queue is served by its successor, and
// an old generation's by the new one. Each worker slot has one of its own on the same address (SO_REUSEPORT,
// socket(7)); sockets that a service manager passed (sd_listen_fds(3)) are shared out instead.
#pragma once

#include <string>
#include <vector>

#include "common/fd.h"
#include "common/not_yet.h"
#include "relayd/handover/config.h"

namespace relayd {

class AddressInUse : public common::NotYet {
  using common::NotYet::NotYet;
};

// Whether the address of listener.bind can be had now; AddressInUse, or as Listeners if not. Nobody is let in.
void require_address(const Config::Listener& listener);

class Listeners {
 public:
  // common::NotYet if the address can't be had now: in use, not of this machine. common::ConfigError if it never can.
  Listeners(const Config::Listener& listener, int workers);
  // `activated`: listening TCP sockets. They stay as they are, however many workers there are.
  explicit Listeners(std::vector<common::Fd> activated)
      : sockets_(std::move(activated)), before_(sockets_.size()), activated_(true) {}

  // After a reload the same sockets serve, if their address is the same.
  bool serves(const Config::Listener& listener) const;
  // For a new number of workers and a new backlog: as many sockets as it takes. There are never fewer than before: to
  // close one would reset who waits in its queue. discard_added() takes back the last call's, should nobody serve them.
  void adapt(const Config::Listener& listener, int workers);
  void discard_added() { sockets_.resize(before_); }

  // What worker `number` of `workers` serves: at least one socket.
  std::vector<int> of(int number, int workers) const;
  std::string text() const;  // the address, for the log

 private:
  std::vector<common::Fd> sockets_;
  size_t before_ = 0;
  bool activated_ = false;
  Config::Endpoint bind_;
};

}  // namespace relayd
