// keyd's server in this process, over a real socket, and a client of it that speaks the protocol by hand.
#pragma once

#include "keyd/vault/server.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <nlohmann/json.hpp>

#include "keyd/startup/socket.h"
#include "keyd_support.h"
#include "tests/unit/descriptors.h"

namespace keyd_test {

using namespace keyd;
using ipc::Kind;
using ipc::Role;
using ipc::Scheme;
using ipc::Status;
using nlohmann::json;
using witness::Form;
using witness::Key;

using Datagram = std::vector<uint8_t>;

inline Datagram encoded(const ipc::Request& request) {
  ipc::RequestBuffer buffer;
  const size_t size = ipc::encode(request, buffer);
  return {buffer.begin(), buffer.begin() + static_cast<long>(size)};
}

struct Answer {
  Status status = Status::internal;
  uint32_t id = 0;
  Datagram payload;
  uint32_t retry_after_ms = 0;
};

class Keyd {
 public:
  explicit Keyd(std::vector<uid_t> allowed = {geteuid()}, size_t max_connections = 8,
                const Service::Options& options = {}, uint64_t hello_timeout_ms = 5000) {
    std::filesystem::create_directory(scratch / "keys");
    scratch.put("listener.key", listener_key.text(Form::pkcs8));
    scratch.put("keys/device.pem", device_key.text(Form::pkcs8));
    std::vector<KeyStore::Place> listeners;
    listeners.push_back(open_own_key_dir({scratch / "listener.key", "listener"}));
    keys.emplace(open_keys_dir({scratch / "keys", "keys"}), std::move(listeners), vault.slots, vault.slots,
                 KeyStore::Options{.cache_size = 8});
    audit_fd.reset(open((scratch / "audit").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    audit.emplace(audit_fd.get());
    socket.emplace(ConfiguredPath{path(), "socket"});
    uv_loop_init(&loop);
    service.emplace(loop, *keys, *audit, options);
    server.emplace(loop, socket->fd(), Server::Limits{std::move(allowed), max_connections, hello_timeout_ms}, *service,
                   *audit);
  }
  ~Keyd() {
    server->stop();
    service->stop();
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
  }
  std::string path() const { return scratch / "sign.sock"; }
  // Runs the server's loop until `done`, for at most 20 s.
  template <typename Done>
  void work_until(Done done) {
    const uint64_t deadline = uv_hrtime() + 20'000'000'000;
    while (!done() && uv_hrtime() < deadline) uv_run(&loop, UV_RUN_NOWAIT);
    REQUIRE(done());
  }
  std::vector<json> audit_lines() const {
    std::vector<json> lines;
    for (const auto& line : lines_of(scratch / "audit")) lines.push_back(json::parse(line));
    return lines;
  }
  json last_line() const { return audit_lines().back(); }

  ScratchDir scratch;
  Vault vault;
  const Key device_key = Key::generate("P-256"), listener_key = Key::generate("P-256");
  std::optional<KeyStore> keys;
  common::Fd audit_fd;
  std::optional<Audit> audit;
  std::optional<ListeningSocket> socket;
  uv_loop_t loop{};
  std::optional<Service> service;
  std::optional<Server> server;
};

class Client {
 public:
  explicit Client(Keyd& k) : keyd_(k), fd_(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    keyd_.path().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  bool send(const Datagram& datagram) {
    return ::send(fd_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(datagram.size());
  }
  bool readable() const {
    pollfd waiting{fd_.get(), POLLIN, 0};
    return poll(&waiting, 1, 0) == 1;
  }
  // nullopt: the server closed the connection.
  std::optional<Answer> receive() {
    keyd_.work_until([&] { return readable(); });
    uint8_t buffer[ipc::kMaxResponse];
    ssize_t got = recv(fd_.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == ECONNRESET)
      got = recv(fd_.get(), buffer, sizeof buffer, 0);  // unread requests were dropped
    if (got <= 0) return std::nullopt;
    const auto response = ipc::decode_response(std::span(buffer, static_cast<size_t>(got)));
    REQUIRE(response);
    return Answer{
        response->status, response->id, {response->payload.begin(), response->payload.end()}, response->retry_after_ms};
  }
  std::optional<Answer> ask(const ipc::Request& request) {
    if (!send(encoded(request))) return std::nullopt;
    return receive();
  }
  Client& hello(uint32_t timeout_ms = 5000) {
    const auto answer = ask({1, ipc::Hello{ipc::kVersion, 4, timeout_ms}});
    REQUIRE(answer);
    REQUIRE(answer->status == Status::ok);
    REQUIRE(ipc::decode_welcome(answer->payload));
    return *this;
  }
  bool closed() { return !receive(); }
  int fd() const { return fd_.get(); }

 private:
  Keyd& keyd_;
  common::Fd fd_;
};

inline ipc::Lookup lookup_of(const Key& key, std::string_view id, Role role = Role::device) {
  return {role, key.spki(), {}, id};
}

struct SignRequest {
  SignRequest(const Key& key, std::string_view id, Kind kind = Kind::tls13_client, Role role = Role::device,
              Datagram bytes = Datagram(32, 1))
      : content(std::move(bytes)),
        request{9, ipc::Sign{lookup_of(key, id, role), kind, Scheme::ecdsa_sha256, content}} {}
  Datagram content;
  ipc::Request request;
};

}  // namespace keyd_test
