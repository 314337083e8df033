// mqtt-relayd: the command line, then the supervisor.
#include "common/config.h"
#include "common/hardening.h"
#include "common/log.h"
#include "relayd/supervisor/options.h"
#include "relayd/supervisor/supervisor.h"

namespace {

constexpr int kConfigurationError = 78;  // sysexits(3)
constexpr char kDefaultConfig[] = "/etc/mqtt-relay/relayd.json";

const common::Daemon kDaemon{"mqtt-relayd",
                             "Relays MQTT devices to a remote broker, each under its own TLS identity.\n"
                             "Serves in the foreground; stops on SIGTERM and SIGINT. The log goes to\n"
                             "standard error.\n",
                             "0 stopped as asked, 64 wrong command line, 78 the configuration or\n"
                             "a file that it names can't be used, 1 anything else.\n"};

int serve(const std::string& config_file, const relayd::Overrides& overrides) {
  common::log::open("mqtt-relayd");
  try {
    return relayd::run_supervisor(config_file, overrides);
  } catch (const common::ConfigError& error) {
    common::log::error("exits", error.what());
    return kConfigurationError;
  } catch (const std::exception& error) {
    common::log::error("exits", error.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  common::keep_standard_numbers();

  relayd::Overrides overrides;
  std::optional<std::string> config;
  auto options = relayd::options_of(overrides);
  options.insert(options.begin(),
                 {"config", "FILE", std::string("the configuration; default ") + kDefaultConfig, common::into(config)});
  if (const auto status = common::parse_daemon_options(kDaemon, options, argc, argv)) return *status;
  const int status = serve(config.value_or(kDefaultConfig), overrides);
  common::log::finish();
  return status;
}
