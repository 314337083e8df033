// neverbleed's design, to compare with keyd's: a thread a connection reads a request, signs with wolfCrypt and writes
// the answer back. It has no policy, no audit, no queue and no proof of presence, which favours it.
#pragma once

#include <string>

namespace bench {

// Listens at `path`, calls `ready` and serves P-256 signatures until the process ends.
void serve_round_trips(const std::string& path, void (*ready)(void*), void* argument);

// A client with one blocking connection.
class RoundTrip {
 public:
  explicit RoundTrip(const std::string& path);
  ~RoundTrip();
  RoundTrip(const RoundTrip&) = delete;
  RoundTrip& operator=(const RoundTrip&) = delete;
  void sign();  // throws std::runtime_error if there is no signature

 private:
  int fd_;
};

}  // namespace bench
