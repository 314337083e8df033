// `mqtt-relay audit show`: the audit for human eyes, filtered.
//
// Does not verify the lines; `audit verify` does. Their text is untrusted and is escaped for a terminal.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "keyd/admin/terminal.h"

namespace keyd::admin {

struct ShowOptions {
  std::string file;  // "-": standard input
  std::optional<std::string> client, event;
  std::optional<std::string> handshake;       // its first digits
  std::optional<int64_t> since_us, until_us;  // since 1970, both included
  std::optional<uint64_t> worker;
  bool denied = false;            // only what was not answered with "ok"
  bool json = false;              // the lines as they are
  std::optional<uint64_t> limit;  // only the last N lines
};

// RFC 3339, "2026-11-23T16:20:00.5Z" or with an offset, the time of day may be left out; or "15m", "2h", "1d" before
// `now_us`. Microseconds since 1970; nullopt if it is neither.
std::optional<int64_t> parse_time(std::string_view text, int64_t now_us);
int64_t now_us();

// Returns how many lines were not audit lines. Throws InputError.
uint64_t audit_show(const ShowOptions& options, std::ostream& out, const Screen& screen);

}  // namespace keyd::admin
