#include "tests/integration/harness/relay.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iostream>

#include "test_paths.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/verdict.h"

namespace harness {
namespace {

bool as_root() { return geteuid() == 0; }

void own(const fs::path& path, uid_t user, unsigned mode) {
  if (as_root() && chown(path.c_str(), user, user) != 0) fail_errno("chown " + path.string());
  if (chmod(path.c_str(), mode) != 0) fail_errno("chmod " + path.string());
}

// Copies the programs to where both users can reach them, wherever the build directory is. The layout is kept: the
// programs execute others in ../libexec.
void install_programs(const fs::path& directory) {
  const fs::path build = fs::path(MQTT_RELAY_PROGRAMS).parent_path(), libexec = directory.parent_path() / "libexec";
  for (const char* name : {"keyd", "relayd", "mqtt-relay"})
    if (!fs::exists(directory / name)) fs::copy_file(build / "bin" / name, directory / name);
  if (!fs::exists(libexec)) fs::copy(build / "libexec", libexec);
}

void patch(const fs::path& file, const Json& change) {
  auto configuration = Json::parse(read_file(file));
  configuration.merge_patch(change);
  write_file(file, configuration.dump(2));
}

void end_politely(Process* process) {
  if (!process || !process->running()) return;
  process->signal(SIGTERM);
  const auto status = process->wait();
  if (status.code != 0)
    FAIL_CHECK(process->name() << " exited with " << status.code << ", signal " << status.signal
                               << " after SIGTERM; its standard error:\n"
                               << process->err().text());
}

}  // namespace

Relay::Relay(const RelayOptions& options, const fs::path& directory) : options_(options), directory_(directory) {
  fs::create_directories(keys());
  fs::create_directories(directory_ / "run");
  fs::create_directories(directory_ / "certificates");
  own(directory_ / "run", keyd_user, 0755);
  own(keys(), keyd_user, 0700);
  install_programs(directory_);
  fs::copy_file(options_.listener.key, directory_ / "listener.key");
  own(directory_ / "listener.key", keyd_user, 0600);
  // relayd may run as a user without access to the directories where the tests keep their files.
  fs::copy_file(authorities().root, directory_ / "certificates/root.pem");
  fs::copy_file(options_.listener.certificate, directory_ / "certificates/listener.pem");
  for (const auto& entry : fs::directory_iterator(directory_ / "certificates")) own(entry.path(), relay_user, 0644);
  write_configurations();
}

Relay::~Relay() {
  try {
    end_politely(relayd_.get());
    end_politely(keyd_.get());
  } catch (const std::exception& e) {
    FAIL_CHECK(e.what());
  }
  if (test_has_failed()) {
    if (relayd_) std::cerr << "--- relayd's log:\n" << relayd_->err().text();
    if (keyd_) std::cerr << "--- keyd's log:\n" << keyd_->err().text() << "--- audit:\n" << keyd_->out().text();
  }
}

void Relay::write_configurations() {
  const auto socket = (directory_ / "run/sign.sock").string();
  Json keyd = {{"private_keys_dir", keys()},
               {"listener_keyfile", directory_ / "listener.key"},
               {"socket", socket},
               {"allowed_users", {std::to_string(as_root() ? relay_user : geteuid())}}};
  Json relayd = {{"remote_host", options_.remote.host},
                 {"remote_port", options_.remote.port},
                 {"remote", {{"cacertfile", directory_ / "certificates/root.pem"}}},
                 {"listener",
                  {{"bind", options_.listen.text()},
                   {"certfile", directory_ / "certificates/listener.pem"},
                   {"cacertfile", directory_ / "certificates/root.pem"},
                   {"verify", "verify_peer"}}},
                 {"keyd_socket", socket},
                 {"workers", 1}};
  keyd.merge_patch(options_.keyd);
  relayd.merge_patch(options_.relayd);
  write_file(keyd_configuration(), keyd.dump(2));
  write_file(relayd_configuration(), relayd.dump(2));
}

void Relay::patch_keyd(const Json& change) { patch(keyd_configuration(), change); }

void Relay::patch_relayd(const Json& change) { patch(relayd_configuration(), change); }

void Relay::give_key(const std::string& client_id, const fs::path& key_file) {
  give_file(client_id + ".pem", read_file(key_file));
}

void Relay::give_file(const std::string& file_name, std::string_view content, unsigned mode) {
  put_for_keyd(keys() / file_name, content, mode);
}

std::string Relay::give_listener_key(const std::string& file_name, const fs::path& key_file) {
  put_for_keyd(directory_ / file_name, read_file(key_file), 0600);
  return directory_ / file_name;
}

void Relay::put_for_keyd(const fs::path& file, std::string_view content, unsigned mode) {
  // Rename it into place complete: keyd watches the directory.
  const auto scratch = directory_ / "new-key";
  write_file(scratch, content);
  own(scratch, keyd_user, mode);
  fs::rename(scratch, file);
}

ProcessOptions Relay::keyd_command() const {
  ProcessOptions made{.argv = {directory_ / "keyd", "--config", keyd_configuration()},
                      .environment = options_.environment,
                      .stdout_file = options_.audit_file,
                      .stderr_file = options_.keyd_log_file,
                      .before_exec = options_.keyd_before_exec};
  made.argv.insert(made.argv.end(), options_.keyd_arguments.begin(), options_.keyd_arguments.end());
  if (as_root()) made.user = keyd_user;
  return made;
}

ProcessOptions Relay::relayd_command() const {
  ProcessOptions made{.argv = {directory_ / "relayd", "--config", relayd_configuration()},
                      .environment = options_.environment,
                      .stderr_file = options_.relayd_log_file,
                      .sockets = options_.relayd_sockets,
                      .before_exec = options_.relayd_before_exec};
  made.argv.insert(made.argv.end(), options_.relayd_arguments.begin(), options_.relayd_arguments.end());
  if (as_root()) made.user = relay_user;
  return made;
}

void Relay::start() {
  start_keyd();
  start_relayd();
}

void Relay::start_keyd() {
  NotifySocket notify(directory_ / "keyd.notify");
  auto command = keyd_command();
  command.environment.push_back(notify.environment());
  keyd_.reset();
  keyd_ = std::make_unique<Process>(command);
  notify.wait_ready(*keyd_);
}

void Relay::start_relayd() {
  relayd_.reset();
  notify_.reset();  // removes the socket file
  notify_ = std::make_unique<NotifySocket>(directory_ / "relayd.notify");
  auto command = relayd_command();
  command.environment.push_back(notify_->environment());
  relayd_ = std::make_unique<Process>(command);
  notify_->wait_ready(*relayd_);
}

Json Relay::reload() {
  const auto mark = log().mark();
  relayd().signal(SIGHUP);
  return log().wait_json(
      [](const Json& j) {
        const auto message = j.value("msg", "");
        return message == "relayd reloaded" || message.starts_with("reload failed");
      },
      "the end of the reload", mark);
}

ProcessOptions Relay::operator_command(std::vector<std::string> words) const {
  return mqtt_relay(std::move(words), directory_);
}

Finished Relay::ask_relayd(std::vector<std::string> words) const {
  words.insert(words.end(), {"--config", relayd_configuration()});
  return run(operator_command(std::move(words)));
}

Finished Relay::run_keyd() { return run(keyd_command()); }

Finished Relay::run_relayd() { return run(relayd_command()); }

bool is_end(const Json& line) {
  const std::string event = line.value("event", "");
  return event == "session_closed" || event == "session_refused" || event == "connection_closed";
}

Json Relay::session_up(size_t mark) {
  return log().wait_json([](const Json& line) { return line.value("msg", "") == "session up"; }, "a session", mark);
}

Json Relay::session_closed(size_t mark) { return log().wait_json(is_end, "how a connection ended", mark); }

std::vector<pid_t> Relay::workers() {
  std::vector<pid_t> pids;
  for (const auto& line : log().json([](const Json& j) { return j.value("msg", "") == "worker started"; })) {
    const auto slot = line.at("worker").get<size_t>();
    if (pids.size() <= slot) pids.resize(slot + 1, -1);
    pids[slot] = line.at("pid").get<pid_t>();
  }
  return pids;
}

pid_t Relay::connector() {
  const auto started = log().json([](const Json& j) { return j.value("msg", "") == "connector started"; });
  return started.empty() ? -1 : started.back().at("pid").get<pid_t>();
}

pid_t Relay::wait_worker_started(int worker, size_t mark) {
  return log()
      .wait_json(
          [&](const Json& j) { return j.value("msg", "") == "worker started" && j.value("worker", -1) == worker; },
          "\"worker started\" for slot " + std::to_string(worker), mark)
      .at("pid")
      .get<pid_t>();
}

}  // namespace harness
