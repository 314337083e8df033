// The listening sockets of each listener. The supervisor holds them for good, so that a dead worker's successor serves
// its queue, and a new generation serves the old one's. Each worker slot has a socket of its own on the same address
// (SO_REUSEPORT, socket(7)). If a service manager passed sockets (sd_listen_fds(3)), the workers share those instead.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/not_yet.h"
#include "relayd/handover/config.h"

namespace relayd {

class AddressInUse : public common::NotYet {
  using common::NotYet::NotYet;
};

// Checks that the listener's address is available now, without accepting a connection. Otherwise throws
// AddressInUse, or what the constructor of ListenSockets throws.
void require_address(const Config::Listener& listener);

// Restores a listening socket that another process with the same open file description has changed: one that was shut
// down listens again, one that blocks does not, and no program drops or steers what arrives. Returns what it found,
// separated by commas; empty if nothing was wrong. Throws common::NotYet if the socket can't listen now.
std::string mended(int socket, int backlog);

class ListenSockets {
 public:
  // Throws common::NotYet if the address is not available now (in use, or not on this machine), common::ConfigError if
  // it never can be.
  ListenSockets(const Config::Listener& listener, int workers);
  // `activated`: listening TCP sockets. Their number does not change with the number of workers.
  ListenSockets(const Config::Listener& listener, std::vector<common::Fd> activated);

  // True if these sockets can serve this listener after a reload: it has the same address or, for activated ones, the
  // same name.
  bool serves(const Config::Listener& listener) const;
  // Adds sockets for a new number of workers, and sets a new backlog. It never closes a socket: that would reset the
  // connections in its queue. discard_added() closes the sockets that the last call added, if no worker will serve
  // them.
  void adapt(const Config::Listener& listener, int workers);
  void discard_added() { sockets_.resize(before_); }
  // Restores what a process that holds the same sockets has changed about them (mended()), and logs it.
  void mend();

  // A worker's sockets stop listening while it does not serve, so that the kernel leads devices to the other workers'.
  // Sockets that several workers serve go on listening.
  void rest(int number, int workers);
  void wake(int number, int workers);
  // All stop listening, but for activated ones: these are the service manager's.
  void end() { rest(0, 1); }
  bool activated() const { return activated_; }

  // The sockets that worker `number` of `workers` serves: at least one.
  std::vector<int> of(int number, int workers) const;
  std::string text() const;  // the address, for the log

 private:
  struct Socket {
    common::Fd fd;
    bool rests = false;
  };
  std::vector<Socket> sockets_;
  size_t before_ = 0;
  bool activated_ = false;
  int backlog_ = 0;
  std::string name_;
  Config::Endpoint bind_;
};

// The sockets for each of config.listeners, in their order, at a reload: those of `before` that serve them, adapted,
// and new ones. Throws what ListenSockets throws; nothing is added then.
std::vector<std::shared_ptr<ListenSockets>> sockets_for(const Config& config,
                                                        const std::vector<std::shared_ptr<ListenSockets>>& before);
// Closes what sockets_for() added to sockets of `before`.
void discard_added(const std::vector<std::shared_ptr<ListenSockets>>& next,
                   const std::vector<std::shared_ptr<ListenSockets>>& before);
std::string text(const std::vector<std::shared_ptr<ListenSockets>>& all);  // the addresses, for the log

}  // namespace relayd
