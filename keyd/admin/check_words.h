// How the checks speak of users and paths.
#pragma once

#include <optional>
#include <string>

#include "common/json_line.h"
#include "keyd/admin/check.h"

namespace keyd::admin {

using common::day_of, common::octal, common::parent_of, common::quoted, common::user_name;

// keyd's user; nullopt if this process can't find it out.
std::optional<uid_t> service_uid(const CheckContext& context);
// The same for a command: a name, a number, or "mqtt-keyd" if it is unknown.
std::string service_user(const CheckContext& context);

}  // namespace keyd::admin
