// The operator's words to a relayd that runs: status, reload, disconnect. They ask its control socket, which they find
// in the configuration that it was started with.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "relayd/config.h"

namespace relayd::admin {

class Commands {
 public:
  explicit Commands(CLI::App& app);  // which must outlive it
  // The exit status, if the command line had one of them.
  std::optional<int> run(const std::string& config_file, const Overrides& overrides) const;

 private:
  CLI::App *status_, *reload_, *disconnect_;
  bool json_ = false;
  std::string client_id_;
};

}  // namespace relayd::admin
