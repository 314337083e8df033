// SOCKS5 (RFC 1928), with user name and password (RFC 1929).
//
// A broker's name is sent as a name, so the proxy resolves it; a numeric address is sent as an address.
#pragma once

#include "relayd/connector/proxy_talk.h"

namespace relayd::connector {

class Socks5 final : public ProxyTalk {
 public:
  static constexpr size_t kMostName = 255, kMostCredential = 255;  // bytes: of the broker's name; of user and password

  // `credentials`: "user:password", each of at least one byte; "": none.
  Socks5(const Config::Endpoint& broker, const std::string& credentials);
  size_t feed(std::span<const uint8_t> bytes) override;

 private:
  // Which answer comes next. bound: the rest of the reply, of which only the length matters.
  enum class Step : uint8_t { method, authenticated, reply, bound };

  void on_answer();
  void on_method(uint8_t method);
  void on_reply();
  void ask();

  const Config::Endpoint broker_;
  const std::string credentials_;
  Step step_ = Step::method;
  std::string answer_;  // what has come of it
  size_t wanted_ = 2;   // its size
};

}  // namespace relayd::connector
