// HTTP CONNECT (RFC 9110 section 9.3.6), with basic authentication (RFC 7617).
//
// An answer of class 2 opens the tunnel with the empty line that ends its head, whatever its fields say. Interim
// answers (class 1) are skipped. A line may end without CR (RFC 9112 section 2.2).
#pragma once

#include "relayd/connector/proxy_talk.h"

namespace relayd::connector {

class HttpConnect final : public ProxyTalk {
 public:
  static constexpr size_t kMostHead = 8192;  // bytes of all answers together

  // `credentials`: "user:password"; "": none.
  HttpConnect(const Config::Endpoint& broker, const std::string& credentials);
  size_t feed(std::span<const uint8_t> bytes) override;

 private:
  void end_line();
  void end_head();
  void refuse_status();

  const std::string broker_;  // "broker.example:8883"
  const bool has_credentials_;
  std::string line_, status_;  // the one that is being read; the answer's first one, once it is complete
  size_t taken_ = 0;
};

// RFC 4648 section 4.
std::string base64(std::string_view text);

}  // namespace relayd::connector
