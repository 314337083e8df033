// The audit file at start: where its chain continues.
#pragma once

#include "keyd/startup/settings.h"
#include "keyd/vault/audit.h"

namespace keyd {

// Opens the file's directory. Throws std::runtime_error naming setting, path, cause and remedy.
AuditFile open_audit_file(const ConfiguredPath& file);

// The end of the chain in the file, or a new chain if the file is empty or missing. A last line that a crash cut off
// belongs to the chain. Throws std::runtime_error if the file does not end in an audit line of keyd's.
AuditTail read_audit_tail(const AuditFile& file, const ConfiguredPath& from);

}  // namespace keyd
