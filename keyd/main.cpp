// keyd: the only process that reads private keys. It parses no network byte and signs TLS handshakes only.
#include <CLI/CLI.hpp>

#include "common/config.h"
#include "keyd/serve.h"

namespace {

namespace log = common::log;
using namespace keyd;

constexpr int kExitUsage = 64, kExitConfig = 78;  // sysexits.h

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("keyd keeps the devices' private keys and signs their TLS handshakes for relayd.");
  app.footer(
      "Precedence: a flag, then its environment variable, then the configuration file.\n"
      "The audit goes to standard output, the log to standard error.\n"
      "Exit status: 0 stopped by SIGTERM or SIGINT; 64 wrong command line; 78 wrong configuration; 1 "
      "anything else.");
  std::string config;
  Overrides overrides;
  app.set_version_flag("--version", "mqtt-keyd " MQTT_RELAY_VERSION);
  app.add_option("--config", config, "Configuration file, JSON with comments")->type_name("FILE");
  app.add_option("--private-keys-dir", overrides.private_keys_dir, "Directory of the device keys, each CLIENTID.pem")
      ->envname("MQTT_RELAY_PRIVATE_KEYS_DIR")
      ->type_name("DIR");
  app.add_option("--log-level", overrides.log_level, "Least level that is logged")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  try {
    app.parse(argc, argv);
    if (config.empty()) throw CLI::RequiredError("--config");  // not ->required(): a wrong word is the better error
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }

  log::open("mqtt-keyd", log::Level::info);
  try {
    const Settings settings = load_settings(config, overrides);
    log::open("mqtt-keyd", settings.log_level);
    serve(settings);
    return 0;
  } catch (const common::ConfigError& error) {
    log::error(error.what());
    return kExitConfig;
  } catch (const std::exception& error) {
    log::error(error.what());
    return 1;
  }
}
