#include "keyd/startup/serve.h"

#include <uv.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <string>

#include "common/hardening.h"
#include "common/not_yet.h"
#include "common/sd_notify.h"
#include "common/uv.h"
#include "keyd/startup/audit_file.h"
#include "keyd/startup/key_places.h"
#include "keyd/startup/sandbox.h"
#include "keyd/startup/socket.h"
#include "keyd/vault/reload.h"
#include "keyd/vault/server.h"

namespace keyd {
namespace {

namespace log = common::log;

constexpr size_t kWorkSlotsOfThread = 16;
constexpr std::chrono::milliseconds kBeat{1000};
constexpr size_t kMostAuthorities = 1024 * 1024;

// A line break would end STATUS= (sd_notify(3)).
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// Every second, tells the service manager that the loop runs and what it has done, and writes log lines that had no
// room.
class Heartbeat {
 public:
  Heartbeat(uv_loop_t& loop, Service& service, Audit& audit, const Reload& reload)
      : service_(service), audit_(audit), reload_(reload) {
    const auto watchdog = common::sd_watchdog_interval().value_or(std::chrono::hours(1));
    const auto every = static_cast<uint64_t>(std::min<std::chrono::milliseconds>(watchdog / 2, kBeat).count());
    uv_timer_init(&loop, &timer_);
    timer_.data = this;
    uv_timer_start(&timer_, common::call_handle<uv_timer_t, &Heartbeat::beat>, 0, every);
  }
  void stop() { uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr); }

 private:
  void beat() {
    log::flush();
    audit_.ready();  // when degraded, tries to recover
    const ipc::Counters done = service_.counters();
    std::string status = "WATCHDOG=1\nSTATUS=" + std::to_string(done.signatures) + " signed, " +
                         std::to_string(done.refusals) + " refused, " + std::to_string(done.cached_keys) +
                         " keys in memory";
    if (done.given_up > 0) status += ", " + std::to_string(done.given_up) + " given up";
    if (done.degraded) status += "; degraded: the audit can't be written, and nothing is signed without it";
    if (done.notary_away) status += "; degraded: the notary does not answer, and no device's key signs without it";
    if (const uint64_t dropped = log::dropped()) status += "; " + std::to_string(dropped) + " lines of the log dropped";
    if (!reload_.refusal().empty()) status += "; the last reload changed nothing: " + one_line(reload_.refusal());
    common::sd_notify(status);
  }
  Service& service_;
  Audit& audit_;
  const Reload& reload_;
  uv_timer_t timer_;
};

class Signals {
 public:
  Signals(uv_loop_t& loop, Heartbeat& heartbeat, Server& server, Service& service, Audit& audit, Reload& reload)
      : heartbeat_(heartbeat), server_(server), service_(service), audit_(audit), reload_(reload) {
    constexpr std::array kNumbers{SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < kNumbers.size(); i++) {
      uv_signal_init(&loop, &signals_[i]);
      signals_[i].data = this;
      uv_signal_start(&signals_[i], common::call_handle<uv_signal_t, &Signals::arrived>, kNumbers[i]);
    }
  }

  void stop() {
    common::sd_notify("STOPPING=1");
    heartbeat_.stop();
    server_.stop();
    service_.stop();
    reload_.stop();
    for (auto& signal : signals_) uv_close(reinterpret_cast<uv_handle_t*>(&signal), nullptr);
  }

 private:
  void arrived(int number) {
    if (number == SIGHUP) {
      audit_.reopen();
      common::sd_notify_reloading();
      return reload_.ask();
    }
    log::info("stopping", "stopping");
    stop();
  }
  Heartbeat& heartbeat_;
  Server& server_;
  Service& service_;
  Audit& audit_;
  Reload& reload_;
  std::array<uv_signal_t, 3> signals_;
};

}  // namespace

NotaryEnds notary_for(const Settings& settings, const log::Settings& log) {
  const auto authorities = [](const ConfiguredPath& file) {
    try {
      return Authorities{file.path, common::read_file(file.path, kMostAuthorities), file.origin};
    } catch (const std::runtime_error& error) {
      throw common::ConfigError(file.origin + ": found \"" + file.path + "\": " + error.what());
    }
  };
  NotarySettings notary{.log = log};
  if (const auto& bind = settings.bind_remote)
    notary.remote = BoundRemote{bind->remote_hosts, bind->alpn, authorities(bind->cacertfile)};
  if (const auto& bind = settings.bind_device)
    notary.device = BoundDevice{bind->client_id_from, bind->partial_chain, authorities(bind->cacertfile)};
  return notary.remote || notary.device ? start_notary(notary) : NotaryEnds();
}

LockedSlots::LockedSlots(const Settings& settings)
    : work(SignerPool::all_threads(settings.signers) * kWorkSlotsOfThread),
      devices(KeyStore::device_slots(settings.key_cache, SignerPool::all_threads(settings.signers))),
      own(KeyStore::own_slots(own_keyfiles(settings).size(), SignerPool::all_threads(settings.signers))) {}

void serve(const Settings& settings, common::Fd reader) {
  // Opens everything before the sandbox forbids opening; reads no key byte.
  signal(SIGPIPE, SIG_IGN);
  std::vector<common::PassedSocket> passed = common::take_passed_sockets();
  NotaryEnds notary = notary_for(settings, settings.log);  // early: its guardian is a copy of the memory now
  KeyStore::Place keys_dir = common::wait_for([&] { return open_keys_dir(settings.private_keys_dir); });
  std::vector<KeyStore::Place> own;
  for (const auto& [file, role] : own_keyfiles(settings)) {
    const auto open = [&, &file = file, role = role] { return open_own_key_dir(file, role); };
    own.push_back(common::wait_for(open));
    keep_apart(keys_dir, own.back(), file);
  }
  std::optional<AuditFile> audit_file;
  AuditTail tail;
  if (settings.audit_file) {
    audit_file = common::wait_for([&] { return open_audit_file(*settings.audit_file); });
    tail = read_audit_tail(*audit_file, *settings.audit_file);
  }
  common::Output audit_out(STDOUT_FILENO);
  const auto socket =
      common::wait_for([&] { return std::make_unique<ListeningSocket>(settings.socket, std::exchange(passed, {})); });

  // From here on the process is closed to others, and secrets are in locked memory only.
  common::harden_process();
  std::vector<std::string> missing{no_secret_memory()};
  const Passphrase passphrase(settings.key_passphrase_file);
  const LockedSlots counts(settings);
  SecureSlots work(counts.work, sizeof(PrivateKey)), devices(counts.devices, sizeof(PrivateKey)),
      own_slots(counts.own, sizeof(PrivateKey));
  lock_stack();
  WolfcryptMemory wolfcrypt(work);

  // Landlock applies to this thread and those that it starts, so it comes first. seccomp forbids starting threads, so
  // it comes last.
  missing.push_back(common::forbid_files(what_stays_allowed(keys_dir, own, audit_file)));
  Audit audit(std::move(audit_out), std::move(audit_file), std::move(tail));
  KeyStore keys(std::move(keys_dir), std::move(own), devices, own_slots, {settings.key_cache, passphrase.text()});
  uv_loop_t* loop = uv_default_loop();
  Service service(*loop, keys, audit,
                  {{settings.allow_tls12_client, settings.bind_remote.has_value(), settings.require_presence,
                    settings.bind_device.has_value()},
                   settings.signers,
                   settings.max_queue,
                   settings.worker_rate,
                   settings.key_rate,
                   settings.presence_window},
                  std::move(notary));
  Server server(*loop, socket->fd(), {settings.allowed_uids, settings.max_connections}, service, audit);
  const auto apply = [&](const Changeable& now) {
    Service::Options& options = service.options();
    options.rules.allow_tls12_client = now.allow_tls12_client;
    options.max_queue = now.max_queue;
    options.worker_rate = now.worker_rate;
    options.key_rate = now.key_rate;
    server.limits().max_connections = now.max_connections;
  };
  Reload reload(*loop, std::move(reader), apply, [] { common::sd_notify("READY=1"); });
  Heartbeat heartbeat(*loop, service, audit, reload);
  Signals signals(*loop, heartbeat, server, service, audit, reload);
  std::string failure;
  service.on_failure([&](const char* why) {
    failure = why;
    signals.stop();
  });
  missing.push_back(confine_system_calls());
  common::accept_sandbox(missing, settings.require_sandbox);

  for (const OwnKeyfile& each : own_keyfiles(settings)) expect_own_key(keys, each);
  if (!settings.require_presence)
    log::warning("presence_off",
                 "require_presence is false: an attacker in a worker can sign for every device whose key is here",
                 {{"setting", "require_presence"}, {"do", "set it to true, or remove it"}});
  if (const std::string others = common::in_words(settings.sources); !others.empty())
    log::info("configuration_layers", "drop-ins and variables win over the configuration's file", {{"what", others}});
  log::info("ready", "ready", {{"socket", settings.socket.path}, {"private_keys_dir", settings.private_keys_dir.path}});
  common::sd_notify("READY=1");
  uv_run(loop, UV_RUN_DEFAULT);
  uv_loop_close(loop);
  if (!failure.empty())
    throw std::runtime_error(failure +
                             ": with bind_remote or bind_device no device's key signs without it, so keyd exits");
}

}  // namespace keyd
