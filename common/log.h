// The ordinary log, to standard error: JSON lines into a pipe or the journal, coloured text on a terminal.
//
// The one piece of global state in the code base. One write(2) a line, so that lines of several processes on one
// descriptor do not mix. Not for secrets: nothing that is logged may come from a private key.
//
// It never waits for its reader (output.h). Lines that standard error has no room for are kept, up to 256 KiB; later
// ones are dropped and counted, and one line says how many as soon as it flows again. One thread.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace common::log {

enum class Level { debug, info, warning, error };

struct Field {
  std::string_view key;
  std::variant<std::string_view, int64_t> value;
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  template <std::integral T>
  Field(std::string_view k, T v) : key(k), value(static_cast<int64_t>(v)) {}
};

// `program` must outlive the process's logging (a literal). Call before the first line, and before a sandbox; again to
// change the level. Until then lines are written as they come, and may wait.
void open(std::string_view program, Level least);

// Tries to write what waits; true if nothing does any more. Each line that is logged tries as well, so that once a
// second is often enough.
bool flush();
// The same at the end of the process, for at most half a second.
void finish();
// How many lines were dropped since the start.
uint64_t dropped();
// In a child that goes on without exec(3): what waits is its parent's to write, and the child may close all descriptors
// but the standard ones.
void begin_in_child();

// "debug", "info", "warning", "error"; anything else is false and leaves `level` alone.
bool parse_level(std::string_view name, Level& level);

void write(Level level, std::string_view message, std::initializer_list<Field> fields);
inline void debug(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::debug, m, f); }
inline void info(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::info, m, f); }
inline void warning(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::warning, m, f); }
inline void error(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::error, m, f); }

}  // namespace common::log
