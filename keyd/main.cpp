// mqtt-keyd: the only daemon that reads private keys. It parses no network byte and signs TLS handshakes only.
#include <cstdio>

#include "common/config.h"
#include "common/hardening.h"
#include "common/log.h"
#include "keyd/startup/options.h"
#include "keyd/startup/reader.h"
#include "keyd/startup/serve.h"

namespace {

namespace log = common::log;
constexpr int kUsageError = 64, kConfigurationError = 78;  // sysexits(3)

const common::Daemon kDaemon{"mqtt-keyd",
                             "Keeps the devices' private keys and signs their TLS handshakes for mqtt-relayd.\n"
                             "Serves in the foreground; stops on SIGTERM and SIGINT. The audit goes to\n"
                             "standard output, the log to standard error.\n",
                             "0 stopped as asked, 64 wrong command line, 78 wrong configuration,\n"
                             "1 anything else.\n"};

int serve(const std::string& config, const keyd::Overrides& overrides) {
  log::open("mqtt-keyd");
  try {
    const keyd::Settings settings = keyd::load_settings(config, overrides);
    log::open("mqtt-keyd", settings.log);
    keyd::serve(settings, keyd::start_reader(config, overrides, settings));
    return 0;
  } catch (const common::ConfigError& error) {
    log::error("exits", error.what());
    return kConfigurationError;
  } catch (const std::exception& error) {
    log::error("exits", error.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  common::keep_standard_numbers();
  keyd::Overrides overrides;
  std::optional<std::string> config;
  auto options = keyd::options_of(overrides);
  options.insert(options.begin(),
                 {"config", "FILE", "the configuration, JSON with comments; required", common::into(config)});
  if (const auto status = common::parse_daemon_options(kDaemon, options, argc, argv)) return *status;
  if (!config) {
    fputs("mqtt-keyd: --config FILE is missing; as it is installed: --config /etc/mqtt-relay/keyd.json\n", stderr);
    return kUsageError;
  }
  const int status = serve(*config, overrides);
  log::finish();
  return status;
}
