// A TLS peer that gives the test control of its records. OpenSSL writes and reads them in memory; the test decides
// which bytes go over the wire, how records are split, and what shares a segment.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/harness/tls_stream.h"

namespace harness {

// Record types (RFC 8446 section 5.1), a record's first byte.
namespace record_type {
inline constexpr uint8_t change_cipher_spec = 20, alert = 21, handshake = 22, application_data = 23;
}

struct Record {
  uint8_t type = 0;
  std::string header, body;  // header: five bytes
  std::string bytes() const { return header + body; }
};

// Removes whole records from the front of `bytes` and returns them.
std::vector<Record> take_records(std::string& bytes);
std::string record(uint8_t type, std::string_view body);
inline std::string fatal_alert(uint8_t code) {
  return record(record_type::alert, std::string{'\x02', static_cast<char>(code)});
}
// Splits plaintext handshake records into records of `size` bytes; leaves everything from the first record of another
// type on unchanged.
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
  // Returns at least one byte, or "" once the peer has closed.
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
  // Advances OpenSSL's handshake; returns the bytes to send.
  std::string step();
  // Returns the bytes to send for `plain`.
  std::string encrypt(std::string_view plain);
  // A server's 0.5-RTT data (RFC 8446 section 2): returns its flight for the ClientHello that was fed, followed by
  // `plain`.
  std::string flight_and_data(std::string_view plain);
  std::string pending_output();
  void feed(std::string_view bytes);
  // Receives bytes and feeds them to OpenSSL; their records are kept in seen(). Returns false once the peer has closed.
  bool receive(Deadline deadline = patience());
  // Runs the whole handshake and passes what OpenSSL sends through `rewrite`. Throws Failure if the handshake fails.
  void handshake(const std::function<std::string(std::string)>& rewrite = {});
  bool done() const;
  // Reads exactly this many decrypted bytes.
  std::string read(size_t size, Deadline deadline = patience());
  // The fatal alert with which the peer closes, or 0.
  int alert(Deadline deadline = patience());

  // Every record received, as it was on the wire.
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
