// The ordinary log, to standard error: JSON lines to a pipe or the journal, coloured text to a terminal.
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

struct Field {
  std::string_view key;
  std::variant<std::string_view, int64_t> value;
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  template <std::integral T>
  Field(std::string_view k, T v) : key(k), value(static_cast<int64_t>(v)) {}
};

// `program` must outlive all logging (a literal). Call before the first line and before entering a sandbox; call again
// to change the level. Lines logged before the first call are written at once and may block.
void open(std::string_view program, Level least);

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

void write(Level level, std::string_view message, std::initializer_list<Field> fields);
inline void debug(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::debug, m, f); }
inline void info(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::info, m, f); }
inline void warning(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::warning, m, f); }
inline void error(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::error, m, f); }

}  // namespace common::log
