#include "keyd/startup/options.h"

#include "common/log_settings.h"

namespace keyd {

std::vector<common::DaemonOption> options_of(Overrides& overrides) {
  return {{"private-keys-dir", "DIR", "directory of the device keys, each CLIENTID.pem",
           common::into(overrides.private_keys_dir), "MQTT_RELAY_PRIVATE_KEYS_DIR"},
          {"log-level", "LEVEL", "least level logged: debug, info, warning, error",
           common::into(overrides.log_level, common::log::level_names())},
          {"log-format", "FORMAT", "json, text, or auto: text on a terminal",
           common::into(overrides.log_format, common::log::format_names())}};
}

}  // namespace keyd
