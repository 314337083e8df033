#include "tests/integration/harness/mosquitto.h"

#include <unistd.h>

#include <iostream>

#include "tests/integration/harness/verdict.h"

namespace harness {
namespace {

const char* access_list =
    "pattern readwrite any/#\n"
    "pattern read only/#\n"
    "pattern read will/#\n"
    "pattern write only/%u/#\n"
    "pattern write will/%u\n";

// "New client connected from 127.65.1.2:53122 as CLIENT (p2, c1, k60, u'USER')."
bool is_arrival(const std::string& line, const std::string& client_id) {
  return line.find("New client connected from") != line.npos && line.find(" as " + client_id + " (") != line.npos;
}

}  // namespace

Mosquitto::Mosquitto(const MosquittoOptions& options, const fs::path& directory)
    : options_(options), directory_(directory) {
  fs::create_directories(directory_);
  std::string text = "log_dest stderr\nlog_type all\nsys_interval 0\nmax_queued_messages 0\nset_tcp_nodelay true\n";
  if (geteuid() == 0) text += "user root\n";
  text += "listener " + std::to_string(options_.listen.port) + " " + options_.listen.host + "\n";
  if (options_.server) {
    const auto trusted = options_.trusted.empty() ? authorities().root : options_.trusted;
    text += "cafile " + trusted.string() + "\ncertfile " + options_.server->certificate.string() + "\nkeyfile " +
            options_.server->key.string() + "\nrequire_certificate true\nallow_anonymous false\n";
    write_file(directory_ / "acl", access_list);
    text += "acl_file " + (directory_ / "acl").string() + "\n";
    if (options_.passwords.empty()) {
      text += "use_identity_as_username true\n";
    } else {
      write_file(directory_ / "passwords", options_.passwords);
      const auto hashed = run({.argv = {"mosquitto_passwd", "-U", directory_ / "passwords"}});
      if (hashed.status.code != 0) throw Failure("mosquitto_passwd: " + hashed.err);
      text += "password_file " + (directory_ / "passwords").string() + "\n";
    }
  } else {
    text += "allow_anonymous true\n";
  }
  configuration_ = directory_ / "mosquitto.conf";
  write_file(configuration_, text + options_.more + "\n");
  start();
}

Mosquitto::~Mosquitto() {
  if (test_has_failed() && process_)
    std::cerr << "--- the log of the mosquitto at " << endpoint().text() << ":\n" << log().text();
}

void Mosquitto::start() {
  ProcessOptions start{.argv = {"mosquitto", "-c", configuration_}, .before_exec = options_.before_exec};
  // Debian installs it in /usr/sbin, which is not in a user's PATH.
  const char* path = getenv("PATH");
  start.environment.push_back("PATH=" + std::string(path ? path : "/usr/bin:/bin") + ":/usr/sbin");
  if (options_.version != TlsVersion::any) {
    // mosquitto's tls_version is only the lower bound; OpenSSL's configuration sets the upper one, too.
    const std::string v = options_.version == TlsVersion::v1_2 ? "TLSv1.2" : "TLSv1.3";
    write_file(directory_ / "openssl.cnf",
               "openssl_conf = all\n[all]\nssl_conf = tls\n[tls]\nsystem_default = default\n[default]\nMinProtocol = " +
                   v + "\nMaxProtocol = " + v + "\n");
    start.environment.push_back("OPENSSL_CONF=" + (directory_ / "openssl.cnf").string());
  }
  process_ = std::make_unique<Process>(start);
  log().wait_text(" running");
}

void Mosquitto::restart() {
  process_.reset();
  start();
}

std::string Mosquitto::user_of(const std::string& client_id, size_t mark) {
  const auto line =
      log().wait([&](const std::string& l) { return is_arrival(l, client_id); }, "the arrival of " + client_id, mark);
  const auto from = line.rfind(", u'");
  return from == line.npos ? "" : line.substr(from + 4, line.rfind('\'') - from - 4);
}

size_t Mosquitto::connections_of(const std::string& client_id, size_t mark) {
  const auto lines = log().lines();
  size_t count = 0;
  for (size_t i = mark; i < lines.size(); ++i) count += is_arrival(lines[i], client_id);
  return count;
}

void Mosquitto::wait_gone(const std::string& client_id, size_t mark) {
  log().wait(
      [&](const std::string& line) {
        return line.find("Client " + client_id + " disconnected") != line.npos ||
               line.find("Client " + client_id + " closed its connection") != line.npos;
      },
      "that " + client_id + " went", mark);
}

}  // namespace harness
