// Turns the text of relayd.json into a Config, with defaults and bounds. Errors are common::ConfigError.
#pragma once

#include <optional>
#include <string>

#include "common/config_sources.h"
#include "relayd/handover/config.h"

namespace common {
class Section;
}

namespace relayd {

constexpr int kMostDepth = 30;  // intermediates; with leaf and root: trust::Validator::kMaxChain

// Settings from flags or environment variables; they override the file.
struct Overrides {
  std::optional<std::string> remote_host;
  std::optional<int> remote_port;
  std::optional<std::string> log_level, log_format = {};  // the same words as in the file
};

// Errors name the file `name`. Checks the text only and opens no file that it mentions. A fresh installation has no
// remote_host yet, so `brokers` is empty.
Config parse_config(const std::string& text, const std::string& name, const Overrides& overrides);
Config parse_config(common::Section root, const Overrides& overrides);

// Reads the file, its drop-ins and the environment, and parses them. ConfigError also if a file can't be read. Sets
// `sources` to what there is besides the file.
Config read_config(const std::string& file, const Overrides& overrides, common::ConfigSources* sources = nullptr);

}  // namespace relayd
