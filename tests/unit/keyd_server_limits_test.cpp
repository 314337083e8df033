// Limits on what one peer can cost the others: connections, silence, requests, signatures.
#include "keyd_server_support.h"

#include <signal.h>
#include <sys/wait.h>

#include "keyd/vault/tally.h"

using namespace keyd_test;

TEST_CASE("a worker that floods does not starve another", "[keyd][server]") {
  constexpr int kFlood = 150;  // they fit into the socket
  Keyd keyd;
  Client other(keyd);
  other.hello();
  const Datagram hello = encoded({1, ipc::Hello{}}), sign = encoded(SignRequest(keyd.device_key, "device").request);
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const common::Fd in(ends[0]), out(ends[1]);
  const pid_t flooder = fork();  // another process, and so another worker
  REQUIRE(flooder >= 0);
  if (flooder == 0) {
    Client flood(keyd);
    flood.send(hello);
    for (int i = 0; i < kFlood; i++) flood.send(sign);
    _exit(write(out.get(), "s", 1) == 1 && pause() ? 0 : 1);
  }
  char sent;
  REQUIRE(read(in.get(), &sent, 1) == 1);
  const size_t before = keyd.audit_lines().size();
  CHECK(other.ask({5, lookup_of(keyd.device_key, "device")})->status == Status::ok);
  CHECK(keyd.audit_lines().size() - before < kFlood);  // before the flood is done
  kill(flooder, SIGKILL);
  waitpid(flooder, nullptr, 0);
}

TEST_CASE("keyd stops reading from a peer that does not read, and the peer loses no answer", "[keyd][server]") {
  Keyd keyd;
  Client slow(keyd), other(keyd);
  slow.hello();
  other.hello();
  uint32_t sent = 0;
  const auto stats = [&] { return encoded({1000 + sent, std::monostate{}}); };
  // Sends until neither side accepts more bytes.
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

TEST_CASE("connections are limited, and the first one over the limit is in the audit", "[keyd][server]") {
  Keyd keyd({geteuid()}, 2);
  Client one(keyd);
  one.hello();
  const long before = open_descriptors();
  {
    Client two(keyd);
    two.hello();
    Client three(keyd);
    CHECK(three.closed());
    CHECK(keyd.last_line().at("reason") == "max_connections is reached");
  }
  keyd.work_until([&] { return open_descriptors() == before; });
  Client next(keyd);
  next.hello();
}

TEST_CASE("without a free descriptor keyd waits and does not spin", "[keyd][server]") {
  Keyd keyd;
  Client first(keyd);
  first.hello();
  Client second(keyd);  // waits in the listen queue
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{3, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  for (int i = 0; i < 10; i++) uv_run(&keyd.loop, UV_RUN_NOWAIT);
  const int sleeps_ms = uv_backend_timeout(&keyd.loop);
  pollfd loop_waiting{uv_backend_fd(&keyd.loop), POLLIN, 0};
  const bool would_spin = poll(&loop_waiting, 1, 0) != 0;  // an event that is never consumed
  const bool first_is_served = first.ask({2, std::monostate{}})->status == Status::ok;
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK(sleeps_ms > 10);
  CHECK_FALSE(would_spin);
  CHECK(first_is_served);
  second.hello();
}

TEST_CASE("a connection that sends nothing is closed, which makes room", "[keyd][server]") {
  Keyd keyd({geteuid()}, 2, {}, 20);
  Client silent(keyd), second(keyd);
  CHECK(silent.receive()->status == Status::denied);
  CHECK(silent.closed());
  CHECK(second.receive()->status == Status::denied);
  CHECK(keyd.last_line().at("reason") == "no HELLO in time");
  Client good(keyd);
  good.hello();
  // A client that has sent HELLO may stay silent.
  Client silent_again(keyd);
  CHECK(silent_again.receive()->status == Status::denied);
  CHECK(good.ask({2, lookup_of(keyd.device_key, "device")})->status == Status::ok);
}

TEST_CASE("one process can have half of the connections and one more", "[keyd][server]") {
  Keyd keyd({geteuid()}, 20);
  std::list<Client> clients;
  for (size_t i = 0; i < 11; i++) clients.emplace_back(keyd).hello();
  Client one_more(keyd);
  CHECK(one_more.closed());
  CHECK(keyd.last_line().at("reason") == "the process has too many connections");
  const long before = open_descriptors();
  clients.pop_front();
  keyd.work_until([&] { return open_descriptors() == before - 2; });  // both ends
  Client now(keyd);
  now.hello();
}

TEST_CASE("thousands of refused connections do not fill the disk", "[keyd][server]") {
  Keyd keyd({geteuid() + 1});
  for (int i = 0; i < 1000; i++) CHECK(Client(keyd).closed());
  const auto lines = keyd.audit_lines();
  CHECK(lines.size() >= 10);
  CHECK(lines.size() < 700);  // ten at once and ten a second
  // No refusal is forgotten: one line counts those that have none of their own.
  keyd.work_until([&] { return keyd.audit->ready() && keyd.last_line().at("event") == "counted"; });
  CHECK(keyd.last_line().at("number").get<size_t>() + lines.size() - 1 == 1000);
}

TEST_CASE("the answer to a worker over its rate says when to come back", "[keyd][server]") {
  Keyd keyd({geteuid()}, 8, {.worker_rate = {3, common::Milliseconds(3'600'000)}});
  Client client(keyd);
  client.hello();
  for (uint32_t id = 0; id < 3; id++)
    CHECK(client.ask({id, lookup_of(keyd.device_key, "device")})->status == Status::ok);
  const auto busy = client.ask(SignRequest(keyd.device_key, "device").request);
  CHECK(busy->status == Status::busy);
  CHECK(busy->retry_after_ms > 0);
  CHECK(keyd.last_line().at("result") == "busy");
  CHECK(keyd.last_line().at("reason") == "worker_rate");
  // The other connections of the process share its rate.
  Client again(keyd);
  again.hello();
  CHECK(again.ask({1, lookup_of(keyd.device_key, "device")})->status == Status::busy);
}

TEST_CASE("each device's key has a rate of its own, and the listener's has none", "[keyd][server]") {
  Keyd keyd({geteuid()}, 8, {.key_rate = {2, common::Milliseconds(3'600'000)}});
  keyd.scratch.put("keys/other.pem", keyd.device_key.text(Form::pkcs8));
  Client client(keyd);
  client.hello();
  const SignRequest device(keyd.device_key, "device"), other(keyd.device_key, "other");
  const SignRequest listener(keyd.listener_key, "", Kind::tls13_server, Role::listener);
  for (int i = 0; i < 2; i++) CHECK(client.ask(device.request)->status == Status::ok);
  CHECK(client.ask(device.request)->status == Status::busy);
  CHECK(keyd.last_line().at("reason") == "key_rate");
  CHECK(client.ask(other.request)->status == Status::ok);
  for (int i = 0; i < 5; i++) CHECK(client.ask(listener.request)->status == Status::ok);
  CHECK(client.ask({1, lookup_of(keyd.device_key, "device")})->status == Status::ok);  // a lookup costs no token
}

TEST_CASE("a request beyond the queue is answered busy and does not wait", "[keyd][server]") {
  Keyd keyd({geteuid()}, 8, {.max_queue = 1});
  keyd.scratch.put("keys/rsa.pem", Key::generate("RSA:4096").text(Form::pkcs8));
  const Key rsa = Key::generate("RSA:4096");  // the same key: RSA keys are made once a process
  Client client(keyd);
  client.hello();
  const std::vector<uint8_t> content(32, 1);
  const ipc::Sign sign{lookup_of(rsa, "rsa"), Kind::tls13_client, Scheme::rsa_pss_rsae_sha256, content};
  for (uint32_t id = 0; id < 20; id++) REQUIRE(client.send(encoded({id, sign})));
  size_t busy = 0, done = 0;
  for (int i = 0; i < 20; i++) {
    const auto answer = client.receive();
    REQUIRE(answer);
    if (answer->status == Status::ok) done++;
    else if (answer->status == Status::busy && answer->retry_after_ms > 0) busy++;
  }
  CHECK(done >= 1);
  CHECK(busy >= 1);
  CHECK(done + busy == 20);
}

TEST_CASE("a worker that leaves while its signatures are made harms no other", "[keyd][server]") {
  Keyd keyd;
  Client other(keyd);
  other.hello();
  const long before = open_descriptors();
  {
    Client gone(keyd);
    gone.hello();
    const SignRequest sign(keyd.device_key, "device");
    for (int i = 0; i < 50; i++) REQUIRE(gone.send(encoded(sign.request)));
    keyd.work_until([&] { return keyd.audit_lines().size() > 3; });
  }
  keyd.work_until([&] { return open_descriptors() == before; });
  CHECK(other.ask(SignRequest(keyd.device_key, "device").request)->status == Status::ok);
}

TEST_CASE("a flood of refusals has 100 lines and a count, and a signature amid it has its own", "[keyd][server]") {
  Keyd keyd;
  Client flood(keyd);
  flood.hello();
  const SignRequest wrong(keyd.listener_key, "device"), right(keyd.device_key, "device");
  constexpr uint64_t kRefused = 1000;
  for (uint64_t i = 0; i < kRefused; i++) REQUIRE(flood.ask(wrong.request)->status == Status::mismatch);
  REQUIRE(flood.ask(right.request)->status == Status::ok);
  REQUIRE(flood.ask({7, lookup_of(keyd.device_key, "device")})->status == Status::ok);
  const auto counted = [&] {
    uint64_t number = 0;
    for (const json& line : keyd.audit_lines())
      if (line.at("event") == "counted") number += line.at("number").get<uint64_t>();
    return number;
  };
  const auto with = [&](const char* event, const char* result) {
    uint64_t lines = 0;
    for (const json& line : keyd.audit_lines()) lines += line.at("event") == event && line.at("result") == result;
    return lines;
  };
  keyd.work_until([&] { return keyd.audit->ready() && with("sign", "mismatch") + counted() == kRefused; });
  CHECK(with("sign", "mismatch") < kRefused / 2);
  CHECK(with("sign", "ok") == 1);
  CHECK(with("lookup", "ok") == 1);
  for (const json& line : keyd.audit_lines()) {
    if (line.at("event") != "counted") continue;
    CHECK(line.at("counted") == "sign");
    CHECK(line.at("result") == "mismatch");
    CHECK(line.at("worker") == 4);
    CHECK(line.at("reason").get<std::string>().starts_with("the file holds another key"));
    CHECK(line.at("first") <= line.at("last"));
  }
}

TEST_CASE("a flood of lookups for ids without a key is counted apart from refusals", "[keyd][server]") {
  Keyd keyd;
  Client client(keyd);
  client.hello();
  for (int i = 0; i < 500; i++)
    REQUIRE(client.ask({2, lookup_of(keyd.device_key, "nobody" + std::to_string(i))})->status == Status::not_found);
  REQUIRE(client.ask(SignRequest(keyd.listener_key, "device").request)->status == Status::mismatch);
  CHECK(keyd.last_line().at("event") == "sign");  // the flood took none of its lines
  CHECK(keyd.audit_lines().size() < 400);
}

TEST_CASE("what is counted is written when keyd stops", "[keyd][server]") {
  const ScratchDir scratch;
  const common::Fd file(open((scratch / "audit").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  {
    Audit audit(file.get());
    const Peer peer{.uid = 7, .worker = 3};
    for (int i = 0; i < 110; i++) audit.write({"malformed", peer, nullptr, nullptr, Status::malformed, "too long"});
  }
  const auto lines = lines_of(scratch / "audit");
  REQUIRE(lines.size() == 1 + Tally::kShown + 1);
  const json last = json::parse(lines.back());
  CHECK(last.at("number") == 110 - Tally::kShown);
  CHECK(last.at("counted") == "malformed");
}
