#include "common/version.h"

namespace common {

// The library has no package of its own that a scanner could find: its tarball's hash says which sources these are.
std::string version_of(const std::string& program) {
  return program + " " MQTT_RELAY_VERSION "\nwolfSSL " MQTT_RELAY_WOLFSSL_VERSION
                   " (static, sha256 " MQTT_RELAY_WOLFSSL_SHA256 ")\nLicence GPL-3.0-or-later";
}

}  // namespace common
