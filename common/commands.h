// The commands of mqtt-relay: the one list of them. The help, both halves of the command and the daemons' hint read it.
#pragma once

#include <string_view>

namespace common {

struct Command {
  std::string_view group;  // its heading in the list of all commands
  std::string_view name;   // "audit verify"
  std::string_view what;   // one line
};

inline constexpr Command kCommands[] = {
    {"Set up", "init", "Write relayd.json: three questions, or flags"},
    {"Set up", "size", "How many gateways do so many devices need?"},
    {"Set up", "check", "Would both daemons start and serve? If not, what must be done?"},
    {"Set up", "config check", "Would both daemons understand their configuration? If not, why not?"},
    {"Set up", "config print-default", "Print a configuration with all settings at their defaults"},
    {"Set up", "config schema", "Print the JSON Schema of a configuration"},
    {"Look", "verify", "Would this certificate chain be accepted? If not, why not?"},
    {"Look", "status", "What relayd does now: totals, and each worker"},
    {"Look", "top", "Live: rates, workers, refusals by cause, the busiest devices"},
    {"Look", "sessions", "List the sessions: who is connected, from where, to which broker"},
    {"Look", "session", "Everything that is known of one session"},
    {"Look", "trace", "Follow one device live: its packets, without payloads"},
    {"Look", "explain", "Why was this device last refused or closed, and what mends it?"},
    {"Look", "keys", "List the keys, and say why one can't be used"},
    {"Look", "audit verify", "Is the audit complete and unchanged? If not, from which line on?"},
    {"Look", "audit show", "Show the audit as a table, filtered"},
    {"Act", "keys import", "Put keys where keyd reads them, each checked and whole"},
    {"Act", "keys remove", "Remove the keys of client ids"},
    {"Act", "reload", "Reload configuration and certificates; report the outcome"},
    {"Act", "drop", "End the sessions of a client id, or one session"},
    {"Act", "pause", "Let new connections wait; sessions go on"},
    {"Act", "resume", "Accept new connections again"},
    {"Act", "log-level", "Show or change the level of relayd's log, or of one device's lines"},
};

// What the command does. The name must be in the list.
constexpr std::string_view what_does(std::string_view name) {
  for (const Command& command : kCommands)
    if (command.name == name) return command.what;
  return {};
}

}  // namespace common
