// What keyd gives up for good before it serves. keyd does this itself, whatever its unit says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/hardening.h"
#include "common/syscall_filter.h"
#include "keyd/vault/audit.h"
#include "keyd/vault/key_store.h"

namespace keyd {

// The directories in which keyd opens files while it serves, for common::forbid_files(). Valid as long as the
// arguments.
std::vector<common::FileRule> what_stays_allowed(const KeyStore::Place& keys, const std::vector<KeyStore::Place>& own,
                                                 const std::optional<AuditFile>& audit);

// Forbids, for all threads, every system call that serving does not need. Returns "" or what the kernel lacks. Call
// common::forbid_files() first.
std::string confine_system_calls();
common::CallList serving_calls();

}  // namespace keyd
