// One function a section of relayd.json. Each takes the whole section: an unknown key in it is an error
// (config_file.h).
#pragma once

#include "common/config.h"
#include "relayd/handover/config.h"
#include "relayd/supervisor/config_file.h"

namespace relayd {

// `name`: of the listener. The section's path is Config::Listener::setting.
Config::Listener parse_listener(common::Section section, const std::string& name);
Config::Remote parse_remote(common::Section section);
// remote_host, remote_hosts and remote_port of the root, or what wins over them; an empty list if no host is set.
std::vector<Config::Broker> parse_brokers(common::Section& root, const Overrides& overrides,
                                          const Config::Remote& remote);
Config::Local parse_local(common::Section section);

}  // namespace relayd
