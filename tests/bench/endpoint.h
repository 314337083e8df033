// One end of an MQTT connection over TLS, for the load generator and the stand-in broker. Both must cost little beside
// the relay between them: one recv() takes what is there, what an event writes leaves in one send(), and the TLS
// library is the relay's wolfSSL, whose handshake costs a third of OpenSSL's. In the relay's profile it judges no
// chain, and nothing else does so here; that the peer has its key is verified.
#pragma once

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/fd.h"

namespace bench {

using Bytes = std::span<const uint8_t>;
using Clock = std::chrono::steady_clock;

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
[[noreturn]] void fail_errno(const std::string& what);

struct Address {
  std::string host;
  uint16_t port = 0;
};
Address parse_address(const std::string& text);  // 127.0.0.1:8883

using Context = std::unique_ptr<WOLFSSL_CTX, decltype(&wolfSSL_CTX_free)>;
// With AES-128-GCM, X25519, and no other group but P-256, which certificates need. Chain and key are PEM; the version
// is "1.2" or "1.3". A server demands a certificate.
Context client_context(const std::string& version, const std::string& chain, const std::string& key);
Context server_context(bool mlkem, const std::string& chain, const std::string& key);

class Endpoint;

class Loop {
 public:
  Loop();
  // Handles what has happened; waits for `timeout` at most. Of many handshakes only a few, so that a storm of them does
  // not delay the sessions that exist: their latency is the relay's, not this program's.
  void turn(std::chrono::nanoseconds timeout);
  // Destroys an endpoint when the current turn ends: until then, the loop may still have an event for it.
  void bury(std::unique_ptr<Endpoint> dead) { dead_.push_back(std::move(dead)); }

 private:
  friend class Endpoint;
  friend class Listener;
  common::Fd epoll_;
  std::vector<std::unique_ptr<Endpoint>> dead_;
};

class Watched {
 public:
  virtual ~Watched() = default;
  virtual void handle(uint32_t events) = 0;
  virtual bool patient() const { return false; }  // others come first
};

class Endpoint : public Watched {
 public:
  // The socket is not blocking. A client's may still be connecting.
  Endpoint(Loop& loop, common::Fd fd, WOLFSSL_CTX* context, bool server);

  // Packets of more than this have no body in on_packet().
  static constexpr size_t kLargestBody = 65'536;

  void write(Bytes packet);  // a TLS record of its own, sent with flush(), or after the current event
  void flush();
  // Bytes that the kernel has not taken yet.
  size_t unsent() const { return out_.size() - sent_; }
  bool closed() const { return state_ == State::closed; }
  // Sends what it can of what is written and closes; on_closed() is not called.
  void close();

  void handle(uint32_t events) final;
  bool patient() const final { return state_ == State::handshaking; }

 protected:
  virtual void on_open() {}                                    // the handshake is complete
  virtual void on_packet(uint8_t first_byte, Bytes body) = 0;  // of MQTT
  virtual void on_drained() {}                                 // all that was written is with the kernel
  virtual void on_closed(const std::string& why) = 0;          // the peer has closed, or failed

 private:
  enum class State { handshaking, open, closed };
  void receive();
  void advance();
  void split(Bytes bytes);
  size_t header(Bytes bytes, size_t& body) const;
  void lost(const std::string& why);
  void watch(bool writable);
  static int give(WOLFSSL*, char* to, int size, void* self);
  static int take(WOLFSSL*, char* from, int size, void* self);

  Loop& loop_;
  common::Fd fd_;
  std::unique_ptr<WOLFSSL, decltype(&wolfSSL_free)> ssl_;
  const bool server_;
  State state_ = State::handshaking;
  bool watches_writable_ = true;
  Bytes in_{};                 // received, for TLS to read
  std::vector<char> out_{};    // written by TLS
  size_t sent_ = 0;            // of it
  std::vector<uint8_t> part_;  // of a packet
  size_t skip_ = 0;            // bytes of a large packet's body that are still to come
  uint8_t skipped_ = 0;        // its first byte
};

class Listener : public Watched {
 public:
  Listener(Loop& loop, const Address& address);
  uint16_t port() const;
  void handle(uint32_t events) final;

 protected:
  virtual void on_accepted(common::Fd fd) = 0;

 private:
  common::Fd fd_;
};

// Not blocking. To a loopback address from one of several, each for 4,096 numbers: where one address has used half of
// its ports, the kernel takes milliseconds to find a free one.
common::Fd connect_to(const Address& address, size_t number);

// Packets.
std::vector<uint8_t> connect_packet(const std::string& client_id);
std::vector<uint8_t> publish_packet(const std::string& topic, int qos, uint16_t id, size_t payload);
std::vector<uint8_t> publish_packet(const std::string& topic, const std::string& payload);
inline constexpr uint8_t kConnect = 0x10, kConnack = 0x20, kPublish = 0x30, kPuback = 0x40, kSubscribe = 0x82,
                         kSuback = 0x90, kPingreq = 0xC0, kPingresp = 0xD0, kDisconnect = 0xE0;

}  // namespace bench
