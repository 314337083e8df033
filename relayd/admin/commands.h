// The operator's commands: status, reload and disconnect ask the relayd that runs by its control socket, which they
// find in the configuration that it was started with; check looks at everything that relayd needs; init writes the
// configuration; verify judges a chain of certificates.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "relayd/admin/check.h"
#include "relayd/admin/init.h"
#include "relayd/admin/verify.h"

namespace relayd::admin {

class Commands {
 public:
  explicit Commands(CLI::App& app);  // which must outlive it
  // The exit status, if the command line had one of them.
  std::optional<int> run(const std::string& config_file, const Overrides& overrides) const;

 private:
  int run_check(const std::string& config_file, const Overrides& overrides) const;
  int run_init(const std::string& config_file) const;
  int run_verify(const std::string& config_file, const Overrides& overrides) const;
  int run_request(const CLI::App& chosen, const std::string& config_file, const Overrides& overrides) const;

  CLI::App *status_, *reload_, *disconnect_, *check_, *init_, *verify_;
  bool json_ = false;
  CheckOptions check_options_;
  InitOptions init_options_;
  VerifyOptions verify_options_;
  std::optional<std::string> verify_at_;
  std::string client_id_;
};

}  // namespace relayd::admin
