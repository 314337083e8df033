// The command line of a daemon: flags, some of which have an environment variable, and nothing else.
//
// A daemon has no commands: the operator's are those of mqtt-relay. Errors go to standard error and say what was found
// and what is allowed. Small on purpose: this is in the process that holds private keys, before it reads one.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

namespace common {

struct DaemonOption {
  std::string name;   // "remote-port", for --remote-port
  std::string value;  // its value in the help: "PORT"
  std::string what;   // one line
  // Keeps the value. Returns what is allowed if that value is not: "1 to 65535".
  std::function<std::string(const std::string&)> take;
  std::string environment = {};  // the variable that counts if the flag is not given; "": none
};

// What `take` can be.
std::function<std::string(const std::string&)> into(std::optional<std::string>& text);
std::function<std::string(const std::string&)> into(std::optional<std::string>& text,
                                                    std::initializer_list<const char*> allowed);
std::function<std::string(const std::string&)> into(std::optional<int>& number, int least, int most);

struct Daemon {
  std::string name;  // "mqtt-relayd"
  std::string what;  // lines: what it does
  std::string exit;  // lines: its exit statuses
};

// Reads the environment, then argv. nullopt: go on. Else the exit status: 0 after --help or --version, 64 (EX_USAGE)
// after an error.
std::optional<int> parse_daemon_options(const Daemon& daemon, const std::vector<DaemonOption>& options, int argc,
                                        char** argv);

// Takes the options that their environment variables set. An empty variable counts as unset. Returns an error that
// names the variable, what was found and what is allowed; "": none.
std::string take_environment(const std::vector<DaemonOption>& options);

}  // namespace common
