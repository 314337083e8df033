// One TLS connection over OpenSSL, a TLS library that the product does not use. It can be either end, reports exactly
// what the peer did and how it closed, and can misbehave in every way that a socket allows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/integration/harness/address.h"
#include "tests/integration/harness/deadline.h"
#include "tests/integration/harness/mqtt.h"
#include "tests/integration/harness/pki.h"

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;

namespace harness {

enum class TlsVersion { any, v1_2, v1_3 };

// How a connection ended: with close_notify, a bare FIN, RST or a TLS alert.
struct Ending {
  enum How { close_notify, fin, reset, alert } how = fin;
  int alert_code = 0;         // RFC 8446 section 6
  std::string leftover = {};  // what was read before the end
};

class TlsContext {
 public:
  static TlsContext client(const Identity* identity, const fs::path& trusted, TlsVersion version = TlsVersion::any);
  // Requires a client certificate signed by `trusted`.
  static TlsContext server(const Identity& identity, const fs::path& trusted, TlsVersion version = TlsVersion::any);
  void allow_tls_1_1_only();
  SSL_CTX* get() const { return context_.get(); }

 private:
  explicit TlsContext(SSL_CTX* context, const fs::path& trusted, TlsVersion version);
  void use(const Identity& identity);
  std::shared_ptr<SSL_CTX> context_;
};

class TlsStream {
 public:
  // Opens TCP and completes the handshake as a client; the server's certificate must name `to.host`.
  static TlsStream connect(const Endpoint& to, const TlsContext& context, Deadline deadline = patience());
  // Opens TCP only; the test calls handshake() when it wants to.
  static TlsStream open(const Endpoint& to, const TlsContext& context, Deadline deadline = patience());
  // The server's end of `fd`; takes ownership.
  static TlsStream accept(int fd, const TlsContext& context);

  void ask_for(const std::string& server_name);  // SNI; before the handshake
  void begin_handshake();                        // sends a client's first flight only
  // Throws Failure if the handshake fails. A TLS 1.3 client succeeds before the server has verified its certificate.
  void handshake(Deadline deadline = patience());
  // Continues a handshake that must fail and returns how it ended. Throws Failure if it succeeds.
  Ending refused_handshake(Deadline deadline = patience());

  void send(std::string_view bytes, Deadline deadline = patience());
  // Sends until `bytes` are all sent or the peer has read nothing for `patience_of_peer`; returns the number of bytes
  // sent.
  size_t send_until_blocked(std::string_view bytes, std::chrono::milliseconds patience_of_peer);
  // Returns between 1 and `most` bytes. Throws Failure if the connection ends.
  std::string read_some(size_t most = 65536, Deadline deadline = patience());
  std::string read_exactly(size_t size, Deadline deadline = patience());
  mqtt::Packet read_packet(Deadline deadline = patience());
  // Reads until the peer ends the connection.
  Ending read_to_end(Deadline deadline = patience());
  // Whether bytes can be read now.
  bool readable(std::chrono::milliseconds wait = std::chrono::milliseconds(0));

  void close_notify_and_fin();  // as a well-behaved client closes; reading still works
  void fin();                   // a bare FIN; reading still works
  void vanish();                // RST

  std::string version() const;  // "TLSv1.3"
  std::string cipher() const;
  std::vector<std::string> peer_chain() const;  // DER, leaf first, as it was sent
  std::string server_name() const;              // server's end: the SNI received, or ""
  int fd() const { return fd_.get(); }

 private:
  class Fd {
   public:
    explicit Fd(int fd = -1) : fd_(fd) {}
    ~Fd() { reset(); }
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
      reset();
      fd_ = std::exchange(other.fd_, -1);
      return *this;
    }
    int get() const { return fd_; }
    void reset();

   private:
    int fd_;
  };
  struct Free {
    void operator()(SSL* ssl) const;
  };
  enum class Step { done, end, late };

  TlsStream(Fd fd, const TlsContext& context);
  template <typename Operation>
  Step drive(Operation operation, Deadline deadline);
  Step read_into(std::string& out, size_t most, Deadline deadline);
  [[noreturn]] void fail(const std::string& what, Step step) const;

  Fd fd_;
  std::unique_ptr<SSL, Free> ssl_;
  Ending ending_ = {};  // valid after a Step::end
  std::string error_;
  std::string buffer_;  // read, not yet returned
};

const char* to_string(Ending::How how);

}  // namespace harness
