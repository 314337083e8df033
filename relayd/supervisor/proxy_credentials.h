// Reads remote.proxy.credentials_file, for the connector alone: no worker gets its content, and no message shows it.
#pragma once

#include <string>

#include "relayd/handover/config.h"

namespace relayd {

// "user:password", each of 1 to 255 bytes without control characters; "" if no file is configured. The file has one
// line, belongs to root or this user, and is open to no one else but a group of this user, for reading. Throws
// common::ConfigError, which names file, setting and remedy.
std::string read_proxy_credentials(const std::string& config_file, const Config& config);

}  // namespace relayd
