// GET /metrics for Prometheus, text format 0.0.4.
//
// A small HTTP/1.1 responder on the supervisor's own loop, and not cpp-httplib: Debian's is a shared library that
// brings OpenSSL, brotli and zlib into the process that starts the workers, and serves from a pool of threads, while
// all that is to be read belongs to the loop's. A scraper needs one request, one answer, "Connection: close".
//
// Totals are of all processes there have been, so that they never go back; what there is now is told for each worker.
#pragma once

#include "relayd/config.h"
#include "relayd/supervisor/responder.h"
#include "relayd/supervisor/status.h"

namespace relayd {

std::string metrics_text(const Status& status);

class Metrics final : private Responder::Owner {
 public:
  using Look = Status (*)(void* owner);
  // common::ConfigError if `bind` can't be had.
  Metrics(uv_loop_t* loop, const Config::Endpoint& bind, void* owner, Look look);
  std::string text() const;  // the address, with the port that a bind to port 0 got

 private:
  bool is_whole(std::string_view request) const override;
  void on_request(uint64_t connection, std::string_view request) override;
  std::string too_long() const override;

  void* owner_;
  Look look_;
  Responder responder_;
};

}  // namespace relayd
