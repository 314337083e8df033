// relayd: the command line, and which of the two processes this is.
#include <CLI/CLI.hpp>
#include <iostream>

#include "common/config.h"
#include "common/hardening.h"
#include "common/log.h"
#include "common/version.h"
#include "relayd/admin/commands.h"
#include "relayd/supervisor/supervisor.h"

namespace {

constexpr int kUsageError = 64, kConfigurationError = 78;  // sysexits(3)

constexpr char kDescription[] =
    "Relays MQTT devices to a remote broker, each under its own TLS identity.\n"
    "Without a command it serves, in the foreground.\n"
    "Flags win over environment variables, both win over the file. Stops on SIGTERM and SIGINT.\n"
    "Exit status: 0 stopped as asked, 64 wrong command line, 78 the configuration or a file it names can't be used,\n"
    "1 anything else. Commands have their own: mqtt-relayd COMMAND --help.";

int serve(const std::string& config_file, const relayd::Overrides& overrides) {
  common::log::open("relayd", common::log::Level::info);
  try {
    return relayd::run_supervisor(config_file, overrides);
  } catch (const common::ConfigError& error) {
    common::log::error(error.what());
    return kConfigurationError;
  } catch (const std::exception& error) {
    common::log::error(error.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  common::keep_standard_numbers();

  CLI::App app(kDescription, "mqtt-relayd");
  std::string config_file = "/etc/mqtt-relay/relayd.json";
  relayd::Overrides overrides;
  app.add_option("--config", config_file, "configuration file")->capture_default_str();
  app.add_option("--remote-host", overrides.remote_host, "the remote broker's name or address")
      ->envname("MQTT_RELAY_REMOTE_HOST");
  app.add_option("--remote-port", overrides.remote_port, "its TLS port")
      ->envname("MQTT_RELAY_REMOTE_PORT")
      ->check(CLI::Range(1, 65535));
  app.add_option("--log-level", overrides.log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  app.set_version_flag("--version", common::version_of("mqtt-relayd"));
  const relayd::admin::Commands commands(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  if (const auto status = commands.run(config_file, overrides)) return *status;

  const int status = serve(config_file, overrides);
  common::log::finish();
  return status;
}
