// A small server on the supervisor's loop: each connection carries one request and one answer, then ends. The
// operator's socket is one. Every wait has a deadline; every buffer, and the number of connections, has a bound.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/fd.h"
#include "common/poll.h"
#include "common/units.h"
#include "common/uv.h"

namespace relayd {

class Responder {
 public:
  struct Limits {
    size_t request = 4096;                // bytes
    size_t connections = 16;              // more wait in the socket's backlog
    common::Milliseconds deadline{5000};  // for the request to arrive, and for the answer to be taken
    common::Milliseconds answer{5000};    // for the owner to answer
  };
  struct Owner {
    // Empty if this peer may ask; otherwise the answer that it gets at once.
    virtual std::string refusal(int) { return ""; }
    virtual bool is_whole(std::string_view request) const = 0;
    virtual void on_request(uint64_t connection, std::string_view request) = 0;  // answer() now or later
    virtual std::string too_long() const = 0;  // the answer to a request over the limit

   protected:
    ~Owner() = default;
  };

  // `listening`: non-blocking. Loop thread only.
  Responder(uv_loop_t* loop, common::Fd listening, const Limits& limits, Owner& owner);
  ~Responder();
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  // Ends the connection once the peer has taken `text`. Does nothing if the connection is gone.
  void answer(uint64_t connection, std::string text) { answer(connection, std::move(text), {}); }
  // The same with descriptors (SCM_RIGHTS): of every kMostAttached, a byte of `text` comes along, from the first one
  // on; the rest of the text follows. There must be fewer such bytes than bytes of the text.
  static constexpr size_t kMostAttached = 253;  // SCM_MAX_FD, unix(7)
  void answer(uint64_t connection, std::string text, std::vector<common::Fd> attached);

  // The connection's socket, to ask the kernel about the peer; -1: it is gone.
  int socket(uint64_t connection) const;

 private:
  class Connection;
  void accept(int events);
  void watch();
  void close(uint64_t number);

  uv_loop_t* loop_;
  common::Fd listening_;
  const Limits limits_;
  Owner& owner_;
  common::Poll poll_;
  common::Timer accept_again_;
  std::map<uint64_t, std::unique_ptr<Connection>> connections_;
  uint64_t last_ = 0;
};

}  // namespace relayd
