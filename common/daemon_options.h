// The command line of a daemon: flags only, some with an environment variable.
//
// A daemon has no commands; the operator's commands are in mqtt-relay. Errors go to standard error and say what was
// found and what is allowed. This code is small on purpose: it runs in the process that holds private keys, before it
// reads one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace common {

struct DaemonOption {
  std::string name;   // "remote-port", for --remote-port
  std::string value;  // its value in the help: "PORT"
  std::string what;   // one line
  // Stores the value and returns "". For a value that is not allowed, returns what is: "1 to 65535".
  std::function<std::string(const std::string&)> take;
  std::string environment = {};  // the variable that is used if the flag is absent; "": none
};

// Values for `take`.
std::function<std::string(const std::string&)> into(std::optional<std::string>& text);
std::function<std::string(const std::string&)> into(std::optional<std::string>& text,
                                                    const std::vector<std::string_view>& allowed);
std::function<std::string(const std::string&)> into(std::optional<int>& number, int least, int most);

struct Daemon {
  std::string name;  // "mqtt-relayd"
  std::string what;  // what it does, in lines
  std::string exit;  // its exit statuses, in lines
};

// Reads the environment, then argv. Returns nullopt to continue, otherwise the exit status: 0 after --help or --version
// (1 if printing failed), 64 (EX_USAGE) after an error.
std::optional<int> parse_daemon_options(const Daemon& daemon, const std::vector<DaemonOption>& options, int argc,
                                        char** argv);

// Reads the options that environment variables set. An empty variable counts as unset. Returns an error that names the
// variable, what was found and what is allowed, or "".
std::string take_environment(const std::vector<DaemonOption>& options);

}  // namespace common
