// The audit's reader is slow or missing: keyd keeps running, and no signature leaves without its audit line.
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "common/log.h"
#include "keyd_server_support.h"

using namespace keyd_test;

namespace {

// A keyd whose audit is a pipe; only read() reads it.
struct PipedKeyd : Keyd {
  PipedKeyd() {
    common::log::open("unit_tests");  // now: it takes a descriptor
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    read_end.reset(ends[0]);
    REQUIRE(dup2(common::Fd(ends[1]).get(), audit_fd.get()) == audit_fd.get());
  }
  void fill() const {
    const std::string some(100, '#');
    while (write(audit_fd.get(), some.data(), some.size()) > 0) {
    }
    while (write(audit_fd.get(), "#", 1) > 0) {
    }
  }
  std::vector<json> read() {
    char bytes[65536];
    std::string text;
    for (ssize_t got; (got = ::read(read_end.get(), bytes, sizeof bytes)) > 0;)
      text.append(bytes, static_cast<size_t>(got));
    std::erase(text, '#');
    std::vector<json> lines;
    for (const auto& line : lines_of(scratch.put("read", text))) lines.push_back(json::parse(line));
    return lines;
  }
  common::Fd read_end;
};

ipc::Counters counters_of(Client& client) {
  const auto answer = client.ask({4, std::monostate{}});
  REQUIRE(answer);
  const auto counters = ipc::decode_counters(answer->payload);
  REQUIRE(counters);
  return *counters;
}

}  // namespace

TEST_CASE("answers wait for their audit lines, and the furthest handshake comes first", "[keyd][server]") {
  PipedKeyd keyd;
  Client client(keyd);
  client.hello();
  keyd.fill();
  SignRequest begins(keyd.listener_key, "", Kind::tls13_server, Role::listener);
  begins.request.id = 11;
  SignRequest ends(keyd.device_key, "device");
  ends.request.id = 13;
  client.send(encoded(begins.request));
  client.send(encoded({12, lookup_of(keyd.device_key, "device")}));
  client.send(encoded(ends.request));
  // Meanwhile the loop turns, and reports the cause at once.
  while (!counters_of(client).degraded) {
  }
  keyd.work_until([&] { return keyd.service->waiting() == 3; });
  const auto before = counters_of(client);
  CHECK(before.signatures + before.lookups + before.refusals == 0);
  CHECK(keyd.read().size() == 1);  // HELLO's, from before
  for (const uint32_t id : {13u, 12u, 11u}) {
    const auto answer = client.receive();
    REQUIRE(answer);
    CHECK(answer->id == id);
    CHECK(answer->status == Status::ok);
  }
  const auto lines = keyd.read();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].at("role") == "device");
  CHECK(lines[1].at("event") == "lookup");
  CHECK(lines[2].at("role") == "listener");
  CHECK_FALSE(counters_of(client).degraded);
}

TEST_CASE("without a reader of the audit, a request is refused before its peer's timeout, with one, keyd signs again",
          "[keyd][server]") {
  PipedKeyd keyd;
  Client client(keyd);
  client.hello(600);
  keyd.fill();
  SignRequest sign(keyd.device_key, "device");
  const uint64_t asked = uv_hrtime();
  const auto refused = client.ask(sign.request);
  const uint64_t ms = (uv_hrtime() - asked) / 1'000'000;
  REQUIRE(refused);
  CHECK(refused->status == Status::internal);
  CHECK(refused->payload.empty());
  CHECK(ms >= 300);
  CHECK(ms < 600);
  CHECK(counters_of(client).degraded);
  keyd.read();
  const auto signed_now = client.ask(sign.request);
  REQUIRE(signed_now);
  CHECK(signed_now->status == Status::ok);
  const auto lines = keyd.read();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].at("event") == "resumed");
  CHECK(lines[0].at("lost") == 1);
  CHECK(lines[1].at("result") == "ok");
  CHECK_FALSE(counters_of(client).degraded);
}

TEST_CASE("nothing is signed for a peer that has gone, and no audit line is written", "[keyd][server]") {
  PipedKeyd keyd;
  Client stays(keyd);
  stays.hello();
  keyd.fill();
  const long before = open_descriptors();
  {
    Client goes(keyd);
    goes.hello();
    for (int i = 0; i < 5; i++) goes.send(encoded(SignRequest(keyd.device_key, "device").request));
    keyd.work_until([&] {
      int unread = 0;
      return ioctl(goes.fd(), SIOCOUTQ, &unread) == 0 && unread == 0;
    });
  }
  keyd.work_until([&] { return open_descriptors() == before; });
  keyd.work_until([&] { return counters_of(stays).given_up == 5; });
  keyd.read();
  REQUIRE(stays.ask({12, lookup_of(keyd.device_key, "device")})->status == Status::ok);
  for (const auto& line : keyd.read()) CHECK(line.at("event") != "sign");
  CHECK(counters_of(stays).signatures == 0);
}

TEST_CASE("a request that arrives after its peer's timeout is dropped", "[keyd][server]") {
  PipedKeyd keyd;
  Client client(keyd);
  client.hello(1);
  SignRequest sign(keyd.device_key, "device");
  client.send(encoded(sign.request));
  poll(nullptr, 0, 2);  // while it waits in the socket
  keyd.work_until([&] { return keyd.service->counters().given_up == 1; });
  CHECK(keyd.service->counters().signatures == 0);
  CHECK_FALSE(client.readable());
}
