// What a client and its proxy say to each other before the proxy passes bytes on. Pure: no socket, no time.
//
// http_connect.h and socks5.h are the two languages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "relayd/handover/connector_plan.h"

namespace relayd::connector {

class ProxyTalk {
 public:
  enum class State : uint8_t {
    talking,
    open,     // the next byte from the proxy is the broker's
    refused,  // for good: why() says what happened
  };

  ProxyTalk() = default;
  virtual ~ProxyTalk() = default;
  ProxyTalk(const ProxyTalk&) = delete;
  ProxyTalk& operator=(const ProxyTalk&) = delete;

  // What to send before more is read; "": nothing.
  std::string take_request() { return std::exchange(request_, {}); }
  // Takes what has arrived, and returns how many bytes of it are the proxy's own: never one of the broker's. While it
  // is talking, that is all of them.
  virtual size_t feed(std::span<const uint8_t> bytes) = 0;
  State state() const { return state_; }
  // What the proxy did, and what to do about it; continues "the proxy HOST:PORT ".
  const std::string& why() const { return why_; }

 protected:
  void send(const std::string& request) { request_ += request; }
  void open() { state_ = State::open; }
  void refuse(std::string why) { state_ = State::refused, why_ = std::move(why); }

 private:
  State state_ = State::talking;
  std::string request_, why_;
};

// Asks this proxy for a connection to the broker.
std::unique_ptr<ProxyTalk> ask_proxy(const ProxyAccess& proxy, const Config::Endpoint& broker);

}  // namespace relayd::connector
