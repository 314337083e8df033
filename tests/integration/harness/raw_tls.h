// A TLS peer whose records lie in the test's hand: OpenSSL makes and reads them in memory, and the test decides which
// bytes go over the wire, how they are cut into records, and what shares a segment.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/harness/tls_stream.h"

namespace harness {

// RFC 8446 section 5.1: what a record is, by its first byte.
namespace record_type {
inline constexpr uint8_t change_cipher_spec = 20, alert = 21, handshake = 22, application_data = 23;
}

struct Record {
  uint8_t type = 0;
  std::string header, body;  // the header's five bytes
  std::string bytes() const { return header + body; }
};

// Takes whole records off the front of `bytes`.
std::vector<Record> take_records(std::string& bytes);
std::string record(uint8_t type, std::string_view body);
inline std::string fatal_alert(uint8_t code) {
  return record(record_type::alert, std::string{'\x02', static_cast<char>(code)});
}
// The same with its plaintext handshake records cut into records of `size` bytes; what follows a record of another type
// is left alone.
std::string cut_handshake(std::string bytes, size_t size);

// A socket without TLS.
class RawSocket {
 public:
  explicit RawSocket(int fd) : fd_(fd) {}
  explicit RawSocket(const Endpoint& to);
  ~RawSocket();
  RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawSocket& operator=(RawSocket&&) = delete;

  void send(std::string_view bytes);
  // At least one byte; "" once the peer has ended.
  std::string receive(Deadline deadline = patience());
  std::string receive_to_end(Deadline deadline = patience());

 private:
  int fd_;
};

class RawTls {
 public:
  static RawTls client(RawSocket socket, const TlsContext& context) {
    return RawTls(std::move(socket), context, false);
  }
  static RawTls server(RawSocket socket, const TlsContext& context) { return RawTls(std::move(socket), context, true); }

  RawSocket& socket() { return socket_; }
  SSL* get() { return ssl_.get(); }
  // OpenSSL's next step; what it has to send then.
  std::string step();
  // What it has to send for `plain`.
  std::string encrypt(std::string_view plain);
  // A server's 0.5-RTT data (RFC 8446 section 2): its flight for the ClientHello that was fed, and `plain` behind it.
  std::string flight_and_data(std::string_view plain);
  std::string pending_output();
  void feed(std::string_view bytes);
  // Receives some and feeds it; its records are kept in seen(). Returns false at the peer's end.
  bool receive(Deadline deadline = patience());
  // The whole handshake; what OpenSSL sends passes through `rewrite`. A Failure if it fails.
  void handshake(const std::function<std::string(std::string)>& rewrite = {});
  bool done() const;
  // Decrypted, exactly so much.
  std::string read(size_t size, Deadline deadline = patience());
  // The fatal alert that the peer ends with; 0 for none.
  int alert(Deadline deadline = patience());

  // Every record that came, as it was on the wire.
  const std::vector<Record>& seen() const { return seen_; }

 private:
  struct Free {
    void operator()(SSL* ssl) const;
  };
  RawTls(RawSocket socket, const TlsContext& context, bool server);

  RawSocket socket_;
  std::unique_ptr<SSL, Free> ssl_;
  std::string partial_;
  std::vector<Record> seen_;
};

}  // namespace harness
