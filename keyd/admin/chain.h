// Follows the audit's chain of hashes and names the first place where it does not hold.
//
// Each line vouches for the one before it ("prev", the SHA-256 of that whole line with its newline) and has a number
// ("seq"). A chain by itself can't show two things: lines that were cut off its end, and a history that was rewritten
// from some line to the end. Comparing the last line's number and hash with an earlier note shows both.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "keyd/admin/audit_lines.h"
#include "keyd/admin/terminal.h"

namespace keyd::admin {

struct Finding {
  std::string file;
  uint64_t line = 0;  // from 1
  uint64_t seq = 0;   // of that line, or of the one that belongs there
  // The last two are warnings.
  enum class Kind : uint8_t { changed, removed, inserted, reordered, restarted, not_a_line, empty, torn, unfinished };
  Kind kind{};
  std::string reason;
};

// As the operator reads it: "changed", "not-a-line".
const char* name(Finding::Kind kind);

struct ChainReport {
  uint64_t lines = 0;        // audit lines that are intact, torn ones included
  uint64_t passed_over = 0;  // journal only: lines of the log and the service manager
  uint64_t starts = 0;       // of keyd
  uint64_t torn = 0;
  bool continues = false;  // the first line belongs to a chain that began before this input
  std::optional<uint64_t> first_seq, last_seq;
  std::string last_hash;
  std::vector<Finding> warnings;  // the first kMostWarnings of them
  std::optional<Finding> broken;  // the first broken place; nothing after it was judged
};
inline constexpr size_t kMostWarnings = 20;

// Journal: each run of keyd may begin a chain of its own. Throws InputError.
ChainReport verify_chain(AuditLines& lines, bool journal, Progress* progress = nullptr);

}  // namespace keyd::admin
