#include "relayd/supervisor/options.h"

#include "common/log_settings.h"

namespace relayd {

std::vector<common::DaemonOption> options_of(Overrides& overrides) {
  return {
      {"remote-host", "HOST", "the remote broker's name or address", common::into(overrides.remote_host),
       "MQTT_RELAY_REMOTE_HOST"},
      {"remote-port", "PORT", "its TLS port", common::into(overrides.remote_port, 1, 65535), "MQTT_RELAY_REMOTE_PORT"},
      {"log-level", "LEVEL", "least level logged: debug, info, warning, error",
       common::into(overrides.log_level, common::log::level_names())},
      {"log-format", "FORMAT", "json, text, or auto: text on a terminal",
       common::into(overrides.log_format, common::log::format_names())}};
}

}  // namespace relayd
