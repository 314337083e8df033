// A dial through a proxy that the test plays, on loopback.
#include "relayd/connector/proxy_tunnel.h"

#include <optional>
#include <string>

#include "relayd/connector/dialer.h"
#include "tests/unit/catch.h"
#include "tests/unit/places.h"

using namespace unit;
using relayd::connector::AddressBook, relayd::connector::BrokerOrder, relayd::connector::Dialer;

namespace {

constexpr std::string_view kOpen = "HTTP/1.1 200 OK\r\n\r\n";

// The dial of two brokers, a.example and b.example, through one proxy.
struct Through {
  Loop loop;
  Listening proxy;
  relayd::ConnectorPlan plan;
  AddressBook book{2, BrokerOrder()};
  relayd::connector::SocketQuota quota;
  relayd::connector::SourceAddresses any;
  std::optional<Dialer::Result> result;
  std::optional<Dialer> dialer;

  explicit Through(std::chrono::milliseconds patience = kLong) {
    plan.brokers = {{"a.example", 8883}, {"b.example", 8883}};
    plan.proxy.emplace();
    plan.proxy->settings.at = {"proxy.example", 3128};
    plan.proxy->settings.connect_timeout = patience;
    for (const size_t broker : {size_t{0}, size_t{1}}) book.replace(broker, {proxy.address});
    dialer.emplace(&loop.loop, Dialer::Means{book, quota, any, &plan}, book.order(uv_now(&loop.loop)), kLong, this,
                   take);
  }
  static void take(void* self, Dialer::Result got) { static_cast<Through*>(self)->result.emplace(std::move(got)); }

  // The next connection to the proxy, once it has sent its whole request, which is in `asked`.
  common::Fd accepted(std::string& asked) {
    common::Fd client;
    while (!client) {
      uv_run(&loop.loop, UV_RUN_NOWAIT);
      client.reset(accept4(proxy.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    }
    for (asked.clear(); !asked.ends_with("\r\n\r\n");) {
      uv_run(&loop.loop, UV_RUN_NOWAIT);
      char byte = 0;
      if (recv(client.get(), &byte, 1, 0) == 1) asked += byte;
    }
    return client;
  }
  void finish() {
    while (!result) uv_run(&loop.loop, UV_RUN_ONCE);
    dialer.reset();
  }
};

void say(const common::Fd& socket, std::string_view text) {
  REQUIRE(send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

}  // namespace

TEST_CASE("proxy: what the broker says right behind the proxy's answer reaches the worker whole") {
  Through through;
  std::string asked;
  const common::Fd client = through.accepted(asked);
  CHECK(asked.starts_with("CONNECT a.example:8883 "));
  say(client, std::string(kOpen) + "the broker's greeting");
  through.finish();
  REQUIRE(through.result->socket);
  CHECK(through.result->text == "a.example:8883 through " + through.proxy.address.text());
  char bytes[64];
  const ssize_t got = recv(through.result->socket.get(), bytes, sizeof bytes, 0);
  CHECK(std::string(bytes, static_cast<size_t>(std::max<ssize_t>(got, 0))) == "the broker's greeting");
  CHECK(through.quota.used == 0);
}

TEST_CASE("proxy: a refusal for one broker leads to the next, and is remembered against the first only") {
  Through through;
  std::string asked;
  {
    const common::Fd refused = through.accepted(asked);
    SECTION("by an answer") { say(refused, "HTTP/1.1 502 Bad Gateway\r\n\r\n"); }
    SECTION("by closing") {}
    SECTION("by an answer in pieces") {
      for (const char c : std::string_view("HTTP/1.1 503 No\r\n\r\n")) {
        say(refused, {&c, 1});
        uv_run(&through.loop.loop, UV_RUN_NOWAIT);
      }
    }
  }
  const common::Fd client = through.accepted(asked);
  CHECK(asked.starts_with("CONNECT b.example:8883 "));
  say(client, kOpen);
  through.finish();
  CHECK(through.result->route.broker == 1);
  CHECK(through.result->failure.text().starts_with("a.example:8883 through " + through.proxy.address.text() +
                                                   ": the proxy proxy.example:3128 "));
  CHECK(through.book.is_doubtful({through.proxy.address, 0}));
  CHECK_FALSE(through.book.is_doubtful({through.proxy.address, 1}));
}

TEST_CASE("proxy: silence for one broker ends with the proxy's own deadline, and the next is asked") {
  Through through(std::chrono::milliseconds(50));
  std::string asked;
  const common::Fd silent = through.accepted(asked);
  const common::Fd client = through.accepted(asked);
  CHECK(asked.starts_with("CONNECT b.example:8883 "));
  say(client, kOpen);
  through.finish();
  REQUIRE(through.result->socket);
  CHECK(through.result->failure.text().ends_with("the proxy proxy.example:3128 gave no answer in time"));
}

TEST_CASE("proxy: a dial that is given up while the proxy is asked makes no callback") {
  Through through;
  std::string asked;
  const common::Fd client = through.accepted(asked);
  through.dialer.reset();
  say(client, kOpen);
  uv_run(&through.loop.loop, UV_RUN_NOWAIT);
  CHECK_FALSE(through.result);
  CHECK(through.quota.used == 0);
}
