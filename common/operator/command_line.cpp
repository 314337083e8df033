#include "common/operator/command_line.h"

#include <algorithm>
#include <iostream>

#include "common/commands.h"
#include "common/config.h"
#include "common/nearest.h"
#include "common/operator/terminal.h"
#include "common/version.h"

namespace common {
namespace {

constexpr size_t kScreen = 80;
constexpr char kProgram[] = "mqtt-relay";

// `text` in lines that end before `kScreen`; those after the first begin at `indent`.
std::string wrapped(const std::string& text, size_t indent) {
  std::string out;
  size_t column = indent;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const size_t width = width_of(word);
    if (column > indent && column + 1 + width > kScreen) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      column++;
    }
    out += word;
    column += width;
  }
  return out;
}

std::string name_of(const CLI::App* command) {
  std::string name = command->get_name();
  for (const CLI::App* up = command->get_parent(); up; up = up->get_parent()) name = up->get_name() + " " + name;
  return name;
}

bool has_commands(const CLI::App* app) {
  return !app->get_subcommands([](const CLI::App*) { return true; }).empty();
}

// Whether it does nothing by itself: `audit` is only the beginning of a command, and `keys` is one.
bool needs_command(const CLI::App* app) {
  if (!has_commands(app)) return false;
  return !app->get_parent() || what_does(app->get_name()).empty();
}

struct Line {
  std::string left, right;
};

size_t width_of(const std::vector<Line>& lines) {
  size_t width = 0;
  for (const Line& line : lines) width = std::max(width, line.left.size());
  return width;
}

std::string row(const Line& line, size_t width) {
  return "  " + padded(line.left, width) + "  " + wrapped(line.right, width + 4) + "\n";
}

class Help : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const override {
    std::string text = usage(app) + "\n" + wrapped(app->get_description(), 0) + "\n";
    if (has_commands(app)) text += commands(app);
    const auto lines = options(app);
    if (!lines.empty()) text += "\n";
    for (const Line& line : lines) text += row(line, width_of(lines));
    return app->get_footer().empty() ? text : text + "\n" + app->get_footer() + "\n";
  }

 private:
  static std::string usage(const CLI::App* app) {
    std::string text = "Usage: " + name_of(app);
    if (needs_command(app)) return text + " COMMAND [OPTION...]\n";
    for (const CLI::Option* option : app->get_options()) {
      if (option->get_positional()) text += " " + positional(option);
      else if (option->get_required()) text += " " + flag(option);
    }
    return text + " [OPTION...]\n";
  }
  // The commands whose names begin with the app's own words; for mqtt-relay itself all of them, under their headings.
  static std::string commands(const CLI::App* app) {
    const std::string prefix = app->get_parent() ? app->get_name() + " " : "";
    std::vector<Line> lines;
    std::vector<std::string_view> groups;
    for (const Command& command : kCommands) {
      if (!command.name.starts_with(prefix)) continue;
      lines.push_back({std::string(command.name), std::string(command.what)});
      groups.push_back(command.group);
    }
    std::string text = "\n";
    for (size_t i = 0; i < lines.size(); i++) {
      if (prefix.empty() && (i == 0 || groups[i] != groups[i - 1])) text += std::string(groups[i]) + "\n";
      text += row(lines[i], width_of(lines));
    }
    return text;
  }
  static std::vector<Line> options(const CLI::App* app) {
    std::vector<Line> positionals, flags;
    for (const CLI::Option* option : app->get_options()) {
      if (option->get_positional()) positionals.push_back({positional(option), option->get_description()});
      else if (option != app->get_help_ptr() || !app->get_parent())
        flags.push_back({flag(option), option->get_description()});
    }
    positionals.insert(positionals.end(), flags.begin(), flags.end());
    return positionals;
  }
  static std::string positional(const CLI::Option* option) {
    const std::string name = option->get_name(true) + (option->get_expected_max() > 1 ? "..." : "");
    return option->get_required() ? name : "[" + name + "]";
  }
  static std::string flag(const CLI::Option* option) {
    std::string text = "--" + option->get_lnames().front();
    return option->get_type_size() == 0 ? text : text + " " + option->get_type_name();
  }
};

// The deepest command on the command line.
const CLI::App* deepest(const CLI::App& app) {
  const CLI::App* found = &app;
  while (!found->get_subcommands().empty()) found = found->get_subcommands().front();
  return found;
}

int complain(const std::string& program, const std::string& what, const std::string& hint) {
  std::cerr << program << ": " << visible(what) << "\n" << hint << "\n";
  return kExitUsage;
}

std::vector<std::string> words_after(const CLI::App* app) {
  const std::string prefix = app->get_parent() ? app->get_name() + " " : "";
  std::vector<std::string> words;
  for (const Command& command : kCommands) {
    if (!command.name.starts_with(prefix)) continue;
    const std::string_view rest = command.name.substr(prefix.size());
    const std::string word(rest.substr(0, rest.find(' ')));
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
  }
  return words;
}

// No command was given, or the first word of `remaining` is not one.
int no_command(const CLI::App* app, const std::vector<std::string>& remaining) {
  const std::string name = name_of(app);
  const auto words = words_after(app);
  const std::string hint = "All commands: " + name + " --help";
  if (remaining.empty()) {
    std::string list;
    for (const std::string& one : words) list += (list.empty() ? "" : ", ") + one;
    return complain(name, "found no command; allowed: " + list, hint);
  }
  const std::string& word = remaining.front();
  if (word.starts_with("-")) return complain(name, "found \"" + word + "\", which is not an option here", hint);
  const std::string near = nearest(word, words);
  return complain(
      name, "found \"" + word + "\", which is not a command" + (near.empty() ? "" : "; did you mean " + near + "?"),
      hint);
}

// "--client=": CLI11 would take the next word as its value, which is how a script's empty variable looks.
bool lacks_value(const std::string& word) { return word.starts_with("--") && word.find('=') == word.size() - 1; }

}  // namespace

void set_up(CLI::App& app) {
  app.name(kProgram);
  app.description("Sets up, checks and watches mqtt-keyd and mqtt-relayd.");
  app.formatter(std::make_shared<Help>());
  app.set_help_flag("--help", "Print this; help COMMAND explains one, man mqtt-relay all");
  app.set_version_flag("--version", version_of(kProgram), "Print the versions of mqtt-relay and of wolfSSL");
  app.require_subcommand(0, 1);
}

CLI::App* add_command(CLI::App& to, const std::string& name, const std::string& notes) {
  CLI::App* command = to.add_subcommand(name.substr(name.find(' ') + 1), std::string(what_does(name)));
  command->footer(notes);
  command->fallthrough();  // --config may come before or after the command
  return command;
}

std::optional<int> parse_command_line(CLI::App& app, std::vector<std::string> words) try {
  const auto options_end = std::find(words.begin(), words.end(), "--");
  if (const auto found = std::find_if(words.begin(), options_end, lacks_value); found != options_end)
    return complain(app.get_name(), "found \"" + *found + "\", which has no value after the =",
                    "All commands: " + app.get_name() + " --help");
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  app.parse(std::move(words));
  if (const CLI::App* last = deepest(app); needs_command(last)) return no_command(last, {});
  return std::nullopt;
} catch (const CLI::ParseError& error) {
  const CLI::App* last = deepest(app);
  const auto remaining = app.remaining(true);
  if (needs_command(last) && !remaining.empty()) return no_command(last, remaining);
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
  const std::string name = name_of(last), hint = "Its options: " + name + " --help";
  if (remaining.empty()) return complain(name, error.what(), hint);
  const std::string& word = remaining.front();
  return complain(
      name, "found \"" + word + "\", " + (word.starts_with("-") ? "which is not an option here" : "one word too many"),
      hint);
}

std::string chosen(const CLI::App& app) {
  std::string name;
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    name += (name.empty() ? "" : " ") + at->get_name();
  }
  return name;
}

int run_command(const std::string& name, const std::function<int()>& run) {
  const auto failed = [&](const std::string& what, int status) {
    std::cerr << kProgram << " " << name << ": " << visible(what) << "\n";
    return status;
  };
  try {
    const int status = run();
    std::cout.flush();
    return std::cout ? status : failed("its output can't be written", kExitFailed);
  } catch (const CommandFailed& error) {
    return failed(error.what(), error.status);
  } catch (const ConfigError& error) {
    return failed(error.what(), kExitConfig);
  } catch (const std::exception& error) {
    return failed(error.what(), kExitFailed);
  }
}

}  // namespace common
