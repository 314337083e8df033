// keyd: the only process that reads private keys. It parses no network byte and signs TLS handshakes only.
#include <uv.h>

#include <csignal>

#include "common/hardening.h"
#include "common/log.h"
#include "common/sd_notify.h"
#include "keyd/admin/commands.h"
#include "keyd/admin/key_room.h"
#include "keyd/key_places.h"
#include "keyd/settings.h"
#include "keyd/socket.h"
#include "keyd/vault/server.h"

namespace {

namespace log = common::log;
using namespace keyd;

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
  SecureSlots slots(admin::locked_slots(settings), sizeof(PrivateKey));
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

int main(int argc, char** argv) { return admin::command_line(argc, argv, run); }
