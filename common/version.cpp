#include "common/version.h"

namespace common {

// wolfSSL has no package of its own that a scanner could find; the hash of its tarball identifies the sources.
std::string version_of(const std::string& program) {
  return program + " " MQTT_RELAY_VERSION "\nwolfSSL " MQTT_RELAY_WOLFSSL_VERSION
                   " (static, sha256 " MQTT_RELAY_WOLFSSL_SHA256 ")\nLicence GPL-3.0-or-later";
}

}  // namespace common
