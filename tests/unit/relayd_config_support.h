// Variations of the smallest relayd.json, and what is wrong with them.
#pragma once

#include <string>

#include "common/config.h"
#include "relayd/supervisor/config_file.h"
#include "tests/unit/catch.h"

namespace relayd_config {

using relayd::Config, relayd::parse_config;

// The design's smallest configuration.
inline constexpr char kSmallest[] = R"({
  "remote_host": "broker.example", "remote_port": 8883,   // a comment
  "remote": { "cacertfile": "/etc/mqtt-relay/remote-ca.pem" },
  "listener": { "bind": "0.0.0.0:8883", "certfile": "/etc/mqtt-relay/listener.pem",
                "cacertfile": "/etc/mqtt-relay/device-ca.pem", "verify": "verify_peer" },
  "keyd_socket": "/run/mqtt-keyd/sign.sock",
  "local": { "host": "127.0.0.1", "port": 1883 },
  "workers": 2 })";

inline std::string edited(std::string_view what, std::string_view with) {
  std::string text = kSmallest;
  const size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

inline std::string error_of(const std::string& text, const relayd::Overrides& overrides = {}) {
  try {
    parse_config(text, "relayd.json", overrides);
  } catch (const common::ConfigError& error) {
    return error.what();
  }
  return "no error";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// With another setting in its object "listener", "remote" or "local": `"depth": 3`.
inline std::string with_listener(const std::string& setting) {
  return edited(R"("verify": "verify_peer")", R"("verify": "verify_peer", )" + setting);
}
inline std::string with_remote(const std::string& setting) {
  return edited(R"("/etc/mqtt-relay/remote-ca.pem")", R"("/etc/mqtt-relay/remote-ca.pem", )" + setting);
}
inline std::string with_local(const std::string& setting) {
  return edited(R"("port": 1883)", R"("port": 1883, )" + setting);
}

inline Config relay_config(const std::string& text) { return parse_config(text, "relayd.json", {}); }

}  // namespace relayd_config
