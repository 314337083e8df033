// The ordinary log, to standard error: JSON lines to a pipe or the journal, coloured text to a terminal, or as
// --log-format says.
//
// `event` names the kind of line. Programs may rely on it, and mqtt-relay-log(7) lists all of them; `message` is for
// people and may change.
//
// The log is one of four pieces of global state: the others are the crash report (crash_report.h), what wolfCrypt
// allocates from in the vault (secure_memory.h), and the fiber that runs (fiber.h). Each line is one write(2), so that
// lines from several processes on one descriptor do not mix. Never log a secret: no logged value may come from a
// private key.
//
// The log never waits for its reader (output.h). It keeps up to 256 KiB of lines that standard error has no room for,
// then drops and counts further lines. Once writing works again, one line reports the count. Any thread.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace common::log {

enum class Level { debug, info, warning, error };
inline constexpr std::string_view kLevelNames[] = {"debug", "info", "warning", "error"};
enum class Format { automatic, json, text };  // automatic: text to a terminal, otherwise JSON

struct Field {
  std::string_view key;
  std::variant<std::string_view, int64_t> value;
  template <std::convertible_to<std::string_view> T>
  Field(std::string_view k, const T& v) : key(k), value(std::string_view(v)) {}
  template <std::integral T>
  Field(std::string_view k, T v) : key(k), value(static_cast<int64_t>(v)) {}
};

// `program` must outlive all logging (a literal). Call before the first line and before entering a sandbox; call again
// to change the settings. The first line calls it if nobody has.
void open(std::string_view program, Level least = Level::info, Format format = Format::automatic);
bool enabled(Level level);

// Tries to write the waiting lines; true if none is left. Logging a line does the same, so calling this once a second
// is enough.
bool flush();
// Call at the end of the process: retries flush() for at most half a second.
void finish();
// Number of lines dropped since the start.
uint64_t dropped();
// Call in a child that continues without exec(3). Forgets the waiting lines, which the parent writes, and makes it safe
// for the child to close all descriptors except the standard ones.
void begin_in_child();

using Fields = std::initializer_list<Field>;
void write(Level level, std::string_view event, std::string_view message, Fields fields);
inline void debug(std::string_view e, std::string_view m, Fields f = {}) { write(Level::debug, e, m, f); }
inline void info(std::string_view e, std::string_view m, Fields f = {}) { write(Level::info, e, m, f); }
inline void warning(std::string_view e, std::string_view m, Fields f = {}) { write(Level::warning, e, m, f); }
inline void error(std::string_view e, std::string_view m, Fields f = {}) { write(Level::error, e, m, f); }

}  // namespace common::log
