#include "common/daemon_options.h"

#include <getopt.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "common/commands.h"
#include "common/version.h"

namespace common {
namespace {

constexpr int kUsageError = 64;  // sysexits(3)
constexpr int kHelp = 1, kVersion = 2, kFirstOption = 3;

std::string refusal(const std::string& where, const std::string& found, const std::string& allowed) {
  return where + ": found \"" + found + "\"; allowed: " + allowed;
}

std::string left_column(const DaemonOption& option) { return "  --" + option.name + " " + option.value; }

std::string help_of(const Daemon& daemon, const std::vector<DaemonOption>& options) {
  size_t width = std::string("  --version").size();
  for (const DaemonOption& option : options) width = std::max(width, left_column(option).size());
  const auto line = [&](std::string left, const std::string& right) {
    left.resize(width + 2, ' ');
    return left + right + "\n";
  };
  std::string text = "Usage: " + daemon.name + " [OPTION...]\n\n" + daemon.what + "\n";
  std::string variables;
  for (const DaemonOption& option : options) {
    text += line(left_column(option), option.what);
    if (!option.environment.empty()) variables += "  " + option.environment + " for --" + option.name + "\n";
  }
  text += line("  --help", "print this") + line("  --version", "print the versions of this program and of wolfSSL");
  text += "\nA flag wins over its environment variable, and both win over the configuration:\n" + variables;
  return text + "\nExit status: " + daemon.exit +
         "This program has no commands; mqtt-relay --help lists the operator's.\n";
}

std::string all_flags(const std::vector<DaemonOption>& options) {
  std::string text;
  for (const DaemonOption& option : options) text += "--" + option.name + ", ";
  return text + "--help, --version";
}

// Describes what getopt_long(3) refused.
std::string usage_error(const std::vector<DaemonOption>& options, int answer, int argc, char** argv) {
  const std::string word = optind > 0 && optind <= argc ? argv[optind - 1] : "";
  if (answer == ':') {
    const auto& option = options[static_cast<size_t>(optopt - kFirstOption)];
    return "--" + option.name + " needs a value: --" + option.name + " " + option.value;
  }
  if (optopt == kHelp || optopt == kVersion) return "found \"" + word + "\"; this flag takes no value";
  const std::string found = optopt != 0 ? std::string("-") + static_cast<char>(optopt) : word;
  return "found \"" + found + "\"; allowed: " + all_flags(options);
}

std::string no_commands(const std::string& daemon, const std::string& word) {
  const bool known = std::any_of(std::begin(kCommands), std::end(kCommands), [&](const Command& command) {
    return command.name.substr(0, command.name.find(' ')) == word;
  });
  return "found \"" + word + "\", but " + daemon + " has no commands; run mqtt-relay " + (known ? word : "--help");
}

std::vector<option> table_of(const std::vector<DaemonOption>& options) {
  std::vector<option> table{{"help", no_argument, nullptr, kHelp}, {"version", no_argument, nullptr, kVersion}};
  int number = kFirstOption;
  for (const DaemonOption& one : options) table.push_back({one.name.c_str(), required_argument, nullptr, number++});
  table.push_back({});
  return table;
}

}  // namespace

std::function<std::string(const std::string&)> into(std::optional<std::string>& text) {
  return [&text](const std::string& value) {
    text = value;
    return "";
  };
}

std::function<std::string(const std::string&)> into(std::optional<std::string>& text,
                                                    const std::vector<std::string_view>& allowed) {
  return [&text, allowed](const std::string& value) {
    std::string list;
    for (const std::string_view word : allowed) list.append(list.empty() ? "" : ", ").append(word);
    if (std::ranges::find(allowed, value) == allowed.end()) return list;
    text = value;
    return std::string();
  };
}

std::function<std::string(const std::string&)> into(std::optional<int>& number, int least, int most) {
  return [&number, least, most](const std::string& value) {
    int read = 0;
    const char* end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, read);
    if (error != std::errc() || stop != end || read < least || read > most)
      return std::to_string(least) + " to " + std::to_string(most);
    number = read;
    return std::string();
  };
}

std::string take_environment(const std::vector<DaemonOption>& options) {
  for (const DaemonOption& option : options) {
    const char* value = option.environment.empty() ? nullptr : getenv(option.environment.c_str());
    if (!value || !*value) continue;
    if (const std::string allowed = option.take(value); !allowed.empty())
      return refusal(option.environment, value, allowed);
  }
  return "";
}

std::optional<int> parse_daemon_options(const Daemon& daemon, const std::vector<DaemonOption>& options, int argc,
                                        char** argv) {
  const auto fail = [&](const std::string& error) {
    fprintf(stderr, "%s: %s\n", daemon.name.c_str(), error.c_str());
    return kUsageError;
  };
  const auto print = [](const std::string& text) {
    return fputs(text.c_str(), stdout) >= 0 && fflush(stdout) == 0 ? 0 : 1;
  };
  const std::vector<option> table = table_of(options);
  const std::string from_environment = take_environment(options);
  optind = 0;  // from the beginning: getopt(3), NOTES
  opterr = 0;
  for (;;) {
    const int answer = getopt_long(argc, argv, "+:", table.data(), nullptr);
    if (answer == -1) break;
    if (answer == kHelp) return print(help_of(daemon, options));
    if (answer == kVersion) return print(version_of(daemon.name) + "\n");
    if (answer == '?' || answer == ':') return fail(usage_error(options, answer, argc, argv));
    const DaemonOption& option = options[static_cast<size_t>(answer - kFirstOption)];
    if (const std::string allowed = option.take(optarg); !allowed.empty())
      return fail(refusal("--" + option.name, optarg, allowed));
  }
  if (optind < argc) return fail(no_commands(daemon.name, argv[optind]));
  if (!from_environment.empty()) return fail(from_environment);
  return std::nullopt;
}

}  // namespace common
