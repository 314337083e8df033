// One function a section of relayd.json. Each takes the whole section: an unknown key in it is an error
// (config_file.h).
#pragma once

#include "common/config.h"
#include "relayd/handover/config.h"

namespace relayd {

Config::Listener parse_listener(common::Section section);
Config::Remote parse_remote(common::Section section);
Config::Local parse_local(common::Section section);

}  // namespace relayd
