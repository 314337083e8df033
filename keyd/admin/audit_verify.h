// `mqtt-relay audit verify`: whether an audit is whole, and if not, where it stops being so.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "keyd/admin/chain.h"
#include "keyd/admin/terminal.h"

namespace keyd::admin {

inline constexpr int kExitBroken = 1;

struct VerifyOptions {
  std::vector<std::string> files;  // oldest first; "-" alone: standard input, a journal
  bool json = false;
};

// Returns the exit status: 0 or kExitBroken. Throws InputError.
int audit_verify(const VerifyOptions& options, std::ostream& out, const Screen& screen);

// The two ways to say it.
void print_text(const ChainReport& report, size_t files, std::ostream& out, const Screen& screen);
void print_json(const ChainReport& report, std::ostream& out);

}  // namespace keyd::admin
