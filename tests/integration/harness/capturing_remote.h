// A remote broker played by the test, for what mosquitto cannot show: the exact bytes that arrive, and a misbehaving
// peer. TLS by OpenSSL; clients must show a certificate.
#pragma once

#include <string>

#include "tests/integration/harness/tls_stream.h"

namespace harness {

class CapturingRemote {
 public:
  CapturingRemote(const Endpoint& listen, const Identity& server, const fs::path& trusted,
                  TlsVersion version = TlsVersion::any);
  ~CapturingRemote();
  CapturingRemote(const CapturingRemote&) = delete;
  CapturingRemote& operator=(const CapturingRemote&) = delete;

  Endpoint endpoint() const { return listen_; }
  // Accepts the next connection and completes its handshake.
  TlsStream accept(Deadline deadline = patience());
  // Accepts the next connection without exchanging a byte.
  TlsStream accept_silently(Deadline deadline = patience());
  // Accepts the next connection as a bare socket, for RawTls with context().
  int accept_socket(Deadline deadline = patience());
  const TlsContext& context() const { return context_; }
  // Whether a connection is waiting to be accepted.
  bool anybody_there(std::chrono::milliseconds wait = std::chrono::milliseconds(0));

 private:
  Endpoint listen_;
  TlsContext context_;
  int fd_ = -1;
};

// Occupies a TCP port.
class TakenPort {
 public:
  explicit TakenPort(const Endpoint& where);
  ~TakenPort();
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;

 private:
  int fd_;
};

inline const std::string connack_accepted = std::string("\x20\x02\x00\x00", 4);
inline const std::string connack_accepted_v5 = std::string("\x20\x03\x00\x00\x00", 5);

}  // namespace harness
