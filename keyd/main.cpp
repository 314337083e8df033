// keyd: the only process that reads private keys. It parses no network byte and signs TLS handshakes only.
#include <uv.h>

#include <CLI/CLI.hpp>
#include <csignal>

#include "common/config.h"
#include "common/hardening.h"
#include "common/sd_notify.h"
#include "keyd/key_places.h"
#include "keyd/settings.h"
#include "keyd/socket.h"
#include "keyd/vault/server.h"

namespace {

namespace log = common::log;
using namespace keyd;

constexpr int kExitUsage = 64, kExitConfig = 78;  // sysexits.h
// Locked slots beside the cached keys: the listener's, and what wolfCrypt needs to work.
constexpr size_t kWorkSlots = 32;

// Ends the loop on SIGTERM and SIGINT.
class StopSignals {
 public:
  StopSignals(uv_loop_t& loop, Server& server) : server_(server) {
    for (size_t i = 0; i < 2; i++) {
      uv_signal_init(&loop, &signals_[i]);
      signals_[i].data = this;
      uv_signal_start(
          &signals_[i], [](uv_signal_t* s, int) { static_cast<StopSignals*>(s->data)->stop(); }, i ? SIGINT : SIGTERM);
    }
  }

 private:
  void stop() {
    log::info("stopping");
    common::sd_notify("STOPPING=1");
    server_.stop();
    for (auto& signal : signals_) uv_close(reinterpret_cast<uv_handle_t*>(&signal), nullptr);
  }
  Server& server_;
  uv_signal_t signals_[2];
};

void run(const Settings& settings) {
  // No key byte is read before the memory is locked and the process is closed to others.
  signal(SIGPIPE, SIG_IGN);
  common::harden_process();
  SecureSlots slots(settings.key_cache + kWorkSlots, sizeof(PrivateKey));
  lock_stack();
  WolfcryptMemory wolfcrypt(slots);

  KeyStore keys(open_keys_dir(settings.private_keys_dir), open_listener_dir(settings.listener_keyfile),
                settings.key_cache, slots);
  ListeningSocket socket(settings.socket);
  Audit audit(STDOUT_FILENO);
  require_listener_key(keys, settings.listener_keyfile);

  Signer signer;
  Service service(keys, signer, audit, settings.allow_tls12_client);
  uv_loop_t* loop = uv_default_loop();
  Server server(*loop, socket.fd(), {settings.allowed_uids, settings.max_connections}, service, audit);
  StopSignals signals(*loop, server);

  log::info("ready", {{"socket", settings.socket.path}, {"private_keys_dir", settings.private_keys_dir.path}});
  common::sd_notify("READY=1");
  uv_run(loop, UV_RUN_DEFAULT);
  uv_loop_close(loop);
}

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
    run(settings);
    return 0;
  } catch (const common::ConfigError& error) {
    log::error(error.what());
    return kExitConfig;
  } catch (const std::exception& error) {
    log::error(error.what());
    return 1;
  }
}
