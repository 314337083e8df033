#include "relayd/supervisor/config_parts.h"
#include "relayd/supervisor/config_sections.h"

namespace relayd {

using common::Section;

Config::Local parse_local(Section section) {
  Config::Local local;
  local.broker.host = section.required_string("host", "the local broker's name or address");
  local.broker.port = static_cast<uint16_t>(section.integer("port", 1883, 1, kMaxPort));
  section.finish();
  return local;
}

}  // namespace relayd
