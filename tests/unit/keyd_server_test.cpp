// keyd over a real socket: which users may ask, what a bad message costs its sender, and that no client starves.
#include "keyd_server_support.h"

#include <set>

#include "common/datagram.h"

using namespace keyd_test;

TEST_CASE("LOOKUP answers found, not found, mismatch and unusable", "[keyd][server]") {
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

TEST_CASE("lookup of an id whose key is spelled otherwise: not found, and the answer and the audit name the file",
          "[keyd][server]") {
  Keyd keyd;
  Client client(keyd);
  client.hello();
  const auto ask = [&](std::string_view id, std::string_view spellings) {
    ipc::Lookup lookup = lookup_of(keyd.device_key, id);
    lookup.spellings = spellings;
    const auto answer = client.ask({2, lookup});
    REQUIRE(answer);
    CHECK(answer->status == Status::not_found);
    return std::string(answer->payload.begin(), answer->payload.end());
  };
  CHECK(ask("DEVICE", "Device/device/") == "device");
  CHECK(keyd.last_line().at("reason") == "but there is device.pem");
  CHECK(keyd.last_line().at("client_id") == "DEVICE");
  CHECK(ask("DEVICE", "device") == "device");
  CHECK(ask("DEVICE", "").empty());
  CHECK(ask("DEVICE", "a/b//./../c/").empty());
  CHECK(ask("DEVICE", "../keys/device/").empty() == false);  // "device" again: a name, never a path
  CHECK(ask("DEVICE", "1/2/3/4/5/6/7/8/device/").empty());   // keyd tries eight names at most
  // An existing key is used, whatever else there is.
  ipc::Lookup good = lookup_of(keyd.device_key, "device");
  good.spellings = "device/";
  const auto answer = client.ask({2, good});
  REQUIRE(answer);
  CHECK((answer->status == Status::ok && answer->payload.empty()));
}

TEST_CASE("SIGN answers a signature that verifies and has an audit line", "[keyd][server]") {
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

TEST_CASE("a worker can't misuse a key, and each attempt is in the audit", "[keyd][server]") {
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

TEST_CASE("a user that is not allowed is refused unread, and the refusal is audited", "[keyd][server]") {
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

TEST_CASE("a bad message costs its sender the connection and affects no other peer", "[keyd][server]") {
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
  bad.push_back(right), bad.back()[6] = 4;                         // unknown role
  bad.push_back(right), bad.back()[right.size() - 32 - 4] = 0x7f;  // unknown scheme
  bad.push_back(right), bad.back()[right.size() - 32 - 5] = 9;     // unknown kind
  bad.push_back(right), bad.back().resize(right.size() + 300),
      bad.back()[right.size() - 34] = 1;             // content over its limit
  bad.push_back(Datagram(ipc::kMaxRequest + 1, 0));  // too long
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
    CHECK((keyd.last_line().at("reason") == "too long") == (bad[i].size() > ipc::kMaxRequest));
    CHECK(keyd.last_line().at("result") == "malformed");
    CHECK(good.ask(sign.request)->status == Status::ok);
  }
}

TEST_CASE("nothing is answered before HELLO", "[keyd][server]") {
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

TEST_CASE("a peer with another version of the protocol gets ours and is disconnected", "[keyd][server]") {
  Keyd keyd;
  Client client(keyd);
  const auto answer = client.ask({1, ipc::Hello{ipc::kVersion + 1, 0}});
  REQUIRE(answer);
  CHECK(answer->status == Status::denied);
  CHECK(ipc::decode_welcome(answer->payload));
  CHECK(client.closed());
}

TEST_CASE("an empty datagram and a hang up end the connection", "[keyd][server]") {
  Keyd keyd;
  Client empty(keyd);
  empty.hello().send({});
  CHECK(empty.closed());
  const long before = open_descriptors();
  {
    Client gone(keyd);
    gone.hello();
  }
  keyd.work_until([&] { return open_descriptors() == before; });
}

TEST_CASE("descriptors that a peer attaches are not accepted", "[keyd][server]") {
  Keyd keyd;
  Client client(keyd);
  client.hello();
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const common::Fd in(ends[0]);
  common::Fd out(ends[1]);
  const Datagram datagram = encoded(SignRequest(keyd.device_key, "device").request);
  const std::string_view bytes(reinterpret_cast<const char*>(datagram.data()), datagram.size());
  REQUIRE(common::send_datagram(client.fd(), bytes, ends[1]));
  const auto answer = client.receive();
  REQUIRE(answer);
  CHECK(answer->status == Status::malformed);
  CHECK(client.closed());
  out.reset();  // if keyd held a copy, the pipe would still have a writer
  pollfd waiting{in.get(), POLLIN, 0};
  poll(&waiting, 1, 0);
  CHECK((waiting.revents & POLLHUP) != 0);
}

TEST_CASE("each of many requests sent without waiting is answered once", "[keyd][server]") {
  Keyd keyd;
  Client client(keyd);
  client.hello();
  for (uint32_t id = 100; id < 120; id++) REQUIRE(client.send(encoded({id, lookup_of(keyd.device_key, "device")})));
  std::set<uint32_t> answered;
  for (uint32_t id = 100; id < 120; id++) answered.insert(client.receive()->id);
  CHECK(answered.size() == 20);
  CHECK((*answered.begin() == 100 && *answered.rbegin() == 119));
}

TEST_CASE("when the audit can't be written nothing is signed", "[keyd][server]") {
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
  CHECK(counters->cached_keys == cached);  // keyd did not even look for its key
  CHECK(counters->signatures == 0);
  REQUIRE(dup2(saved.get(), keyd.audit_fd.get()) >= 0);
  CHECK(client.ask(sign.request)->status == Status::ok);
  counters = ipc::decode_counters(client.ask({4, std::monostate{}})->payload);
  CHECK_FALSE(counters->degraded);
  CHECK(counters->signatures == 1);
  CHECK(counters->refusals == 7);
  CHECK(counters->cached_keys == 1);
}

TEST_CASE("a key that is removed no longer signs", "[keyd][server]") {
  Keyd keyd;
  Client client(keyd);
  client.hello();
  const SignRequest sign(keyd.device_key, "device");
  CHECK(client.ask(sign.request)->status == Status::ok);
  unlink((keyd.scratch / "keys/device.pem").c_str());
  CHECK(client.ask(sign.request)->status == Status::not_found);
}

TEST_CASE("with require_presence a device's key signs without a proof for root only, and the audit says so",
          "[keyd][server]") {
  for (const bool required : {true, false})
    for (const uid_t uid : {uid_t{0}, uid_t{1000}}) {
      CAPTURE(required, uid);
      Keyd keyd({geteuid()}, 8, {.rules = {.require_presence = required}});
      std::optional<ipc::Status> status;
      keyd.service->on_reply(
          [&](uint64_t, std::span<const uint8_t> datagram) { status = ipc::decode_response(datagram)->status; });
      const auto ask = [&](const ipc::Request& asked) {
        status.reset();
        Datagram datagram = encoded(asked);
        const auto request = ipc::decode_request(datagram);
        keyd.service->take(1, Peer{.pid = 7, .uid = uid, .lane = 7}, *request, std::move(datagram), 0);
        keyd.work_until([&] { return status.has_value(); });
        return *status;
      };
      const bool allowed = !required || uid == 0;
      CHECK(ask(SignRequest(keyd.device_key, "device").request) == (allowed ? Status::ok : Status::denied));
      json line = keyd.last_line();
      if (allowed) CHECK(line.at("presence") == (required ? "exempt (root)" : "not required"));
      else CHECK((line.at("reason") == "no proof of presence" && !line.contains("presence")));
      CHECK_FALSE(line.contains("handshake"));
      // The listener needs none, and its line names the handshake.
      CHECK(ask(SignRequest(keyd.listener_key, "", Kind::tls13_server, Role::listener).request) == Status::ok);
      line = keyd.last_line();
      CHECK(line.at("handshake").get<std::string>().size() == 16);
      CHECK_FALSE(line.contains("presence"));
      // A proof that is there must hold, whoever asks.
      ipc::Lookup wrong = lookup_of(keyd.device_key, "device");
      const Datagram messages = client_transcript(), signature(70, 1);
      wrong.proof = {ipc::Presence::tls12, Scheme::ecdsa_sha256, signature, messages};
      CHECK(ask({1, wrong}) == Status::denied);
      line = keyd.last_line();
      CHECK(line.at("reason") == "the proof has a malformed hello");
      CHECK_FALSE(line.contains("presence"));
      wrong.proof.scheme = Scheme::ed25519;
      CHECK(ask({1, wrong}) == Status::denied);
      CHECK(keyd.last_line().at("reason") == "the scheme of the device's signature does not fit this key");
    }
}
