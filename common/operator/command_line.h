// What both halves of the command mqtt-relay share: help that fits a screen of 24 lines of 80 characters, errors that
// name the nearest command, exit statuses.
//
// They are two programs because no program that reads keys may contain libcrypto: bin/mqtt-relay has relayd's commands,
// and executes libexec/mqtt-relay/mqtt-relay-keys for those that read keys or keyd's audit.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/operator/command_failed.h"

namespace common {

// Makes `app` the command mqtt-relay: its name, --version and the help's layout.
void set_up(CLI::App& app);

// The command `name` of kCommands, below `to`: "audit verify" becomes "verify" below "audit". It gets --config. Its
// help prints `notes` under the options: examples and exit statuses, in lines of at most 80 characters.
CLI::App* add_command(CLI::App& to, const std::string& name, const std::string& notes);

// Parses the words after the program's name. nullopt: a command was chosen. Otherwise the exit status: 0 after --help
// or --version, 64 after an error. The error for an unknown command names the nearest one.
std::optional<int> parse_command_line(CLI::App& app, std::vector<std::string> words);

// The command that was chosen: "audit verify".
std::string chosen(const CLI::App& app);

// Runs a command and reports a failure on standard error. Returns the exit status.
int run_command(const std::string& name, const std::function<int()>& run);

}  // namespace common
