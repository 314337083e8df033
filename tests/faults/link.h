// One TLS 1.3 connection of a test's MQTT client. It never blocks, so that one thread can serve thousands.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tests/faults/event_thread.h"
#include "tests/integration/harness/tls_stream.h"

namespace faults {

class Link {
 public:
  Link() = default;
  ~Link() { close(); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Starts to connect. When the socket is ready, `owner` is notified and calls advance(). `context` must outlive the
  // link.
  void connect(const harness::Endpoint& to, const harness::TlsContext& context, int epoll, EventThread::Ready* owner);
  // Does everything that is possible now: connecting, the handshake, reading, writing.
  void advance();
  void close();

  bool idle() const { return fd_ < 0; }
  bool is_open() const { return stage_ == Stage::open; }
  // Why the connection is over, in a few words that are always the same for the same cause; empty while it is up.
  const std::string& ended() const { return ended_; }

  // Buffered until TLS accepts it.
  void send(std::string_view bytes);
  // Returns the next whole packet received.
  std::optional<harness::mqtt::Packet> next_packet();

 private:
  enum class Stage { connecting, handshake, open };
  struct Free {
    void operator()(SSL* ssl) const;
  };

  void advance_connect();
  void advance_handshake();
  void read();
  void write();
  bool failed(int result, const char* where);
  void watch();
  void end(std::string why) { ended_ = std::move(why); }

  int fd_ = -1, epoll_ = -1;
  EventThread::Ready* owner_ = nullptr;
  Stage stage_ = Stage::connecting;
  std::unique_ptr<SSL, Free> ssl_;
  bool wants_write_ = false;
  uint32_t watched_ = 0;
  std::string in_, out_, ended_;
  size_t taken_ = 0;  // bytes of in_ already returned
};

}  // namespace faults
