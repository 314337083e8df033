// relayd.json as text, with its defaults and bounds, made into a Config. Errors are common::ConfigError.
#pragma once

#include <optional>
#include <string>

#include "relayd/handover/config.h"

namespace relayd {

constexpr int kMostDepth = 30;  // leaf, these and a root: trust::Validator::kMaxChain

// Settings given as flags or environment variables: they win over the file.
struct Overrides {
  std::optional<std::string> remote_host;
  std::optional<int> remote_port;
  std::optional<std::string> log_level;  // one of the file's words
};

// A fresh installation does not know its remote_host; it is "" then.
enum class RemoteHost { required, may_be_missing };

// `name` is the file that errors name. Checks the text only: opens no file that it names.
Config parse_config(const std::string& text, const std::string& name, const Overrides& overrides,
                    RemoteHost remote_host = RemoteHost::required);

}  // namespace relayd
