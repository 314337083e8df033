// keyd over a real socket: who may ask, what a bad message costs and whom, that nobody starves.
#include "keyd/vault/server.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <nlohmann/json.hpp>

#include "keyd/socket.h"
#include "keyd_support.h"

using namespace keyd;
using namespace keyd_test;
using ipc::Kind;
using ipc::Role;
using ipc::Scheme;
using ipc::Status;
using nlohmann::json;
using witness::Form;
using witness::Key;

namespace {

using Datagram = std::vector<uint8_t>;

Datagram encoded(const ipc::Request& request) {
  ipc::RequestBuffer buffer;
  const size_t size = ipc::encode(request, buffer);
  return {buffer.begin(), buffer.begin() + static_cast<long>(size)};
}

struct Answer {
  Status status = Status::internal;
  uint32_t id = 0;
  Datagram payload;
};

class Keyd {
 public:
  explicit Keyd(std::vector<uid_t> allowed = {geteuid()}, size_t max_connections = 8,
                const Service::Options& options = {}) {
    std::filesystem::create_directory(scratch / "keys");
    scratch.put("listener.key", listener_key.text(Form::pkcs8));
    scratch.put("keys/device.pem", device_key.text(Form::pkcs8));
    keys.emplace(open_keys_dir({scratch / "keys", "keys"}), open_listener_dir({scratch / "listener.key", "listener"}),
                 vault.slots, KeyStore::Options{.cache_size = 8, .listener_copies = 2});
    audit_fd.reset(open((scratch / "audit").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    audit.emplace(audit_fd.get());
    socket.emplace(ConfiguredPath{path(), "socket"});
    uv_loop_init(&loop);
    service.emplace(loop, *keys, *audit, options);
    server.emplace(loop, socket->fd(), Server::Limits{std::move(allowed), max_connections}, *service, *audit);
  }
  ~Keyd() {
    server->stop();
    service->stop();
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
  }
  std::string path() const { return scratch / "sign.sock"; }
  // Lets the server work until `done`, at most some seconds of its own events.
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
    return Answer{response->status, response->id, {response->payload.begin(), response->payload.end()}};
  }
  std::optional<Answer> ask(const ipc::Request& request) {
    if (!send(encoded(request))) return std::nullopt;
    return receive();
  }
  Client& hello() {
    const auto answer = ask({1, ipc::Hello{ipc::kVersion, 4}});
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

ipc::Lookup lookup_of(const Key& key, std::string_view id, Role role = Role::device) {
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

}  // namespace

TEST_CASE("lookup_answers_found_not_found_mismatch_and_unusable", "[keyd][server]") {
  Keyd keyd;
  keyd.scratch.put("keys/open.pem", keyd.device_key.text(Form::pkcs8), 0644);
  Client client(keyd);
  client.hello();
  CHECK(client.ask({2, lookup_of(keyd.device_key, "device")})->status == Status::ok);
  CHECK(client.ask({3, lookup_of(keyd.device_key, "nobody")})->status == Status::not_found);
  CHECK(client.ask({4, lookup_of(keyd.device_key, "../listener.key")})->status == Status::not_found);
  CHECK(client.ask({5, lookup_of(keyd.listener_key, "device")})->status == Status::mismatch);
  CHECK(client.ask({6, lookup_of(keyd.device_key, "open")})->status == Status::unusable);
  CHECK(client.ask({7, lookup_of(keyd.listener_key, "", Role::listener)})->status == Status::ok);
  CHECK(client.ask({8, lookup_of(keyd.device_key, "", Role::listener)})->status == Status::mismatch);
  CHECK(client.ask({9, lookup_of(keyd.listener_key, "x", Role::listener)})->status == Status::denied);
  CHECK(keyd.audit_lines().size() == 10);
}

TEST_CASE("sign_answers_a_signature_that_verifies_and_has_an_audit_line", "[keyd][server]") {
  Keyd keyd;
  Client client(keyd);
  client.hello();
  const SignRequest sign(keyd.device_key, "device");
  const auto answer = client.ask(sign.request);
  REQUIRE(answer);
  CHECK(answer->status == Status::ok);
  CHECK(answer->id == 9);
  const std::string signed_text = std::string(64, ' ') + "TLS 1.3, client CertificateVerify" + '\0' +
                                  std::string(sign.content.begin(), sign.content.end());
  CHECK(keyd.device_key.verifies(Scheme::ecdsa_sha256, bytes_of(signed_text), answer->payload));
  const json line = keyd.last_line();
  CHECK(line.at("event") == "sign");
  CHECK(line.at("result") == "ok");
  CHECK(line.at("worker") == 4);
  CHECK(line.at("peer_pid") == getpid());
  CHECK(line.at("peer_uid") == geteuid());
}

TEST_CASE("a_worker_can_not_misuse_a_key_and_each_attempt_is_in_the_audit", "[keyd][server]") {
  Keyd keyd;
  Client client(keyd);
  client.hello();
  const auto params = server_params(0x0017, 65);
  const SignRequest refused[] = {
      {keyd.listener_key, "", Kind::tls13_client, Role::listener},    // the listener's key as a client
      {keyd.device_key, "device", Kind::tls13_server, Role::device},  // a device's key as a server
      {keyd.device_key, "device", Kind::tls12_server, Role::device, params},
      {keyd.listener_key, "device"},  // another certificate's key
      {keyd.device_key, "device", Kind::tls13_client, Role::device, Datagram(31, 1)},
      {keyd.device_key, "device", Kind::tls13_client, Role::device, Datagram(33, 1)},
      {keyd.device_key, "device", Kind::tls12_client, Role::device, Datagram(33, 1)},
      {keyd.listener_key, "", Kind::tls12_server, Role::listener, Datagram(133, ' ')}};
  for (const auto& sign : refused) {
    const auto answer = client.ask(sign.request);
    REQUIRE(answer);
    CHECK((answer->status == Status::denied || answer->status == Status::mismatch));
    CHECK(answer->payload.empty());
    const json line = keyd.last_line();
    CHECK(line.at("event") == "sign");
    CHECK(line.at("result") == ipc::name(answer->status));
    CHECK(line.at("reason") != "");
  }
}

TEST_CASE("a_user_who_is_not_allowed_is_turned_away_unheard_and_seen", "[keyd][server]") {
  Keyd keyd({geteuid() + 1});
  Client client(keyd);
  client.send(encoded({1, ipc::Hello{}}));
  CHECK(client.closed());
  const json line = keyd.last_line();
  CHECK(line.at("event") == "connect");
  CHECK(line.at("result") == "denied");
  CHECK(line.at("peer_uid") == geteuid());
  CHECK(line.at("peer_pid") == getpid());
}

TEST_CASE("a_bad_message_costs_its_sender_the_connection_and_nobody_else_anything", "[keyd][server]") {
  Keyd keyd;
  Client good(keyd);
  good.hello();
  const SignRequest sign(keyd.device_key, "device");
  const Datagram right = encoded(sign.request);
  std::vector<Datagram> bad;
  bad.push_back(Datagram(right.begin(), right.end() - 1));  // truncated
  bad.push_back(Datagram(right.begin(), right.begin() + 1));
  bad.push_back(right), bad.back().push_back(0);                   // trailing byte
  bad.push_back(right), bad.back()[1] = 1;                         // reserved byte
  bad.push_back(right), bad.back()[0] = 99;                        // unknown request
  bad.push_back(right), bad.back()[6] = 3;                         // unknown role
  bad.push_back(right), bad.back()[right.size() - 32 - 4] = 0x7f;  // unknown scheme
  bad.push_back(right), bad.back()[right.size() - 32 - 5] = 9;     // unknown kind
  bad.push_back(right), bad.back().resize(right.size() + 300),
      bad.back()[right.size() - 34] = 1;                       // content over its limit
  bad.push_back(Datagram(ipc::kMaxTranscriptRequest + 1, 0));  // too long
  bad.push_back(Datagram(100'000, 0xff));
  bad.push_back(encoded({1, ipc::Hello{}}));  // a second HELLO
  for (size_t i = 0; i < bad.size(); i++) {
    INFO(i);
    Client client(keyd);
    client.hello();
    REQUIRE(client.send(bad[i]));
    const auto answer = client.receive();
    REQUIRE(answer);
    CHECK(answer->status == Status::malformed);
    CHECK(client.closed());
    CHECK(keyd.last_line().at("event") == "malformed");
    CHECK((keyd.last_line().at("reason") == "too long") == (bad[i].size() > ipc::kMaxTranscriptRequest));
    CHECK(keyd.last_line().at("result") == "malformed");
    CHECK(good.ask(sign.request)->status == Status::ok);
  }
}

TEST_CASE("nothing_is_answered_before_hello", "[keyd][server]") {
  Keyd keyd;
  const ipc::Request requests[] = {
      SignRequest(keyd.device_key, "device").request, {2, lookup_of(keyd.device_key, "device")}, {3, std::monostate{}}};
  for (auto request : requests) {
    if (auto* sign = std::get_if<ipc::Sign>(&request.body)) sign->content = {};
    Client client(keyd);
    const auto answer = client.ask(request);
    REQUIRE(answer);
    CHECK(answer->status == Status::malformed);
    CHECK(client.closed());
  }
}

TEST_CASE("another_version_of_the_protocol_is_told_ours_and_sent_away", "[keyd][server]") {
  Keyd keyd;
  Client client(keyd);
  const auto answer = client.ask({1, ipc::Hello{ipc::kVersion + 1, 0}});
  REQUIRE(answer);
  CHECK(answer->status == Status::denied);
  CHECK(ipc::decode_welcome(answer->payload));
  CHECK(client.closed());
}

TEST_CASE("an_empty_datagram_and_a_hang_up_end_the_connection", "[keyd][server]") {
  Keyd keyd;
  Client empty(keyd);
  empty.hello().send({});
  CHECK(empty.closed());
  {
    Client gone(keyd);
    gone.hello();
  }
  keyd.work_until([&] { return keyd.server->connections() == 0; });
}

TEST_CASE("descriptors_that_a_peer_sends_along_are_not_taken", "[keyd][server]") {
  Keyd keyd;
  Client client(keyd);
  client.hello();
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const common::Fd in(ends[0]);
  common::Fd out(ends[1]);
  const Datagram datagram = encoded(SignRequest(keyd.device_key, "device").request);
  iovec part{const_cast<uint8_t*>(datagram.data()), datagram.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
  REQUIRE(sendmsg(client.fd(), &message, 0) > 0);
  const auto answer = client.receive();
  REQUIRE(answer);
  CHECK(answer->status == Status::malformed);
  CHECK(client.closed());
  out.reset();  // if keyd held a copy, the pipe would still have a writer
  pollfd waiting{in.get(), POLLIN, 0};
  poll(&waiting, 1, 0);
  CHECK((waiting.revents & POLLHUP) != 0);
}

TEST_CASE("requests_sent_without_waiting_are_answered_in_order", "[keyd][server]") {
  Keyd keyd;
  Client client(keyd);
  client.hello();
  for (uint32_t id = 100; id < 120; id++) REQUIRE(client.send(encoded({id, lookup_of(keyd.device_key, "device")})));
  for (uint32_t id = 100; id < 120; id++) CHECK(client.receive()->id == id);
}

TEST_CASE("a_worker_that_floods_does_not_starve_another", "[keyd][server]") {
  Keyd keyd;
  Client flood(keyd), other(keyd);
  flood.hello();
  other.hello();
  const SignRequest sign(keyd.device_key, "device");
  for (int i = 0; i < 100; i++) REQUIRE(flood.send(encoded(sign.request)));
  const size_t before = keyd.audit_lines().size();
  REQUIRE(other.ask({5, lookup_of(keyd.device_key, "device")})->status == Status::ok);
  CHECK(keyd.audit_lines().size() - before <= 4);  // and not 101
}

TEST_CASE("a_peer_that_reads_nothing_is_read_no_further_and_loses_no_answer", "[keyd][server]") {
  Keyd keyd;
  Client slow(keyd), other(keyd);
  slow.hello();
  other.hello();
  uint32_t sent = 0;
  const auto stats = [&] { return encoded({1000 + sent, std::monostate{}}); };
  // Until neither side takes any more.
  for (int idle = 0; idle < 3;) {
    idle++;
    while (slow.send(stats())) sent++, idle = 0;
    for (int i = 0; i < 300; i++) uv_run(&keyd.loop, UV_RUN_NOWAIT);
  }
  REQUIRE(sent > 100);
  REQUIRE(sent < 100'000);
  for (int i = 0; i < 50; i++) CHECK(other.ask({7, std::monostate{}})->status == Status::ok);
  for (uint32_t i = 0; i < sent; i++) {
    const auto answer = slow.receive();
    REQUIRE(answer);
    REQUIRE(answer->id == 1000 + i);
  }
  CHECK(slow.ask({8, std::monostate{}})->status == Status::ok);
}

TEST_CASE("connections_are_bounded_and_the_one_too_many_is_in_the_audit", "[keyd][server]") {
  Keyd keyd({geteuid()}, 2);
  Client one(keyd);
  one.hello();
  {
    Client two(keyd);
    two.hello();
    Client three(keyd);
    CHECK(three.closed());
    CHECK(keyd.last_line().at("reason") == "max_connections is reached");
  }
  keyd.work_until([&] { return keyd.server->connections() == 1; });
  Client next(keyd);
  next.hello();
}

TEST_CASE("without_a_free_descriptor_keyd_waits_and_does_not_spin", "[keyd][server]") {
  Keyd keyd;
  Client first(keyd);
  first.hello();
  Client second(keyd);  // stands in the queue
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{3, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  for (int i = 0; i < 10; i++) uv_run(&keyd.loop, UV_RUN_NOWAIT);
  const int sleeps_ms = uv_backend_timeout(&keyd.loop);
  pollfd loop_waiting{uv_backend_fd(&keyd.loop), POLLIN, 0};
  const bool would_spin = poll(&loop_waiting, 1, 0) != 0;  // an event that nobody takes
  const bool first_is_served = first.ask({2, std::monostate{}})->status == Status::ok;
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK(sleeps_ms > 10);
  CHECK_FALSE(would_spin);
  CHECK(first_is_served);
  second.hello();
}

TEST_CASE("when_the_audit_can_not_be_written_nothing_is_signed", "[keyd][server]") {
  Keyd keyd;
  Client client(keyd);
  client.hello();
  const SignRequest sign(keyd.device_key, "device");
  const common::Fd full(open("/dev/full", O_WRONLY | O_CLOEXEC)), saved(fcntl(keyd.audit_fd.get(), F_DUPFD_CLOEXEC, 0));
  REQUIRE(dup2(full.get(), keyd.audit_fd.get()) >= 0);
  for (int i = 0; i < 3; i++) {
    const auto answer = client.ask(sign.request);
    REQUIRE(answer);
    CHECK(answer->status == Status::internal);
    CHECK(answer->payload.empty());
    CHECK(client.ask({3, lookup_of(keyd.device_key, "device")})->status == Status::internal);
  }
  auto counters = ipc::decode_counters(client.ask({4, std::monostate{}})->payload);
  REQUIRE(counters);
  CHECK(counters->degraded);
  const uint64_t cached = counters->cached_keys;
  keyd.scratch.put("keys/other.pem", keyd.device_key.text(Form::pkcs8));
  CHECK(client.ask(SignRequest(keyd.device_key, "other").request)->status == Status::internal);
  counters = ipc::decode_counters(client.ask({4, std::monostate{}})->payload);
  CHECK(counters->cached_keys == cached);  // its key was not even looked for
  CHECK(counters->signatures == 0);
  REQUIRE(dup2(saved.get(), keyd.audit_fd.get()) >= 0);
  CHECK(client.ask(sign.request)->status == Status::ok);
  counters = ipc::decode_counters(client.ask({4, std::monostate{}})->payload);
  CHECK_FALSE(counters->degraded);
  CHECK(counters->signatures == 1);
  CHECK(counters->refusals == 7);
  CHECK(counters->cached_keys == 1);
}

TEST_CASE("a_key_that_is_removed_signs_no_more", "[keyd][server]") {
  Keyd keyd;
  Client client(keyd);
  client.hello();
  const SignRequest sign(keyd.device_key, "device");
  CHECK(client.ask(sign.request)->status == Status::ok);
  unlink((keyd.scratch / "keys/device.pem").c_str());
  CHECK(client.ask(sign.request)->status == Status::not_found);
}
