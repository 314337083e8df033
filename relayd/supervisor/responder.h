// Small servers of the supervisor's loop: on each connection one request, one answer, and the end. What is common to
// /metrics and to the operator's socket: every wait has a deadline, every buffer and the number of connections a bound.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/config.h"
#include "common/fd.h"
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
    // Empty if this peer may ask; otherwise what it is answered at once.
    virtual std::string refusal(int) { return ""; }
    virtual bool is_whole(std::string_view request) const = 0;
    virtual void on_request(uint64_t connection, std::string_view request) = 0;  // answer() now or later
    virtual std::string too_long() const = 0;                                    // the answer

   protected:
    ~Owner() = default;
  };

  // `listening`: non-blocking. Loop thread only.
  Responder(uv_loop_t* loop, common::Fd listening, const Limits& limits, Owner& owner);
  ~Responder();
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  // Nothing happens if the connection is gone. Ends it once `text` was taken.
  void answer(uint64_t connection, std::string text);
  int fd() const { return listening_.get(); }
  size_t connections() const { return connections_.size(); }

 private:
  class Connection;
  void accept();
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
