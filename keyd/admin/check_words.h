// How the checks speak of users, modes and paths.
#pragma once

#include <optional>
#include <string>

#include "common/json_line.h"
#include "keyd/admin/check.h"

namespace keyd::admin {

std::string parent_of(const std::string& path);  // the directory
// For a shell, in single quotes.
std::string quoted(const std::string& path);
std::string octal(mode_t mode);  // "0600"
std::string user_name(uid_t uid);

// Whom keyd runs as, for all that is known; nullopt: nothing tells.
std::optional<uid_t> service_uid(const CheckContext& context);
// The same for a command: a name, a number, or "mqtt-keyd" if nothing tells.
std::string service_user(const CheckContext& context);

}  // namespace keyd::admin
