// A worker's one connection: a HELLO with a series speaks for a worker, whoever connected.
#include <list>

#include "keyd_server_support.h"

using namespace keyd;
using namespace keyd_test;

namespace {

ipc::Request hello_of(uint16_t worker, uint64_t series) { return {1, ipc::Hello{ipc::kVersion, worker, 5000, series}}; }

}  // namespace

TEST_CASE("a worker has one connection: a second one ends the first, and the audit says so", "[keyd][server]") {
  Keyd keyd;
  Client first(keyd), other(keyd), elsewhere(keyd);
  for (auto [client, worker, series] : {std::tuple{&first, 1, 7}, {&other, 2, 7}, {&elsewhere, 1, 8}})
    REQUIRE(client->ask(hello_of(static_cast<uint16_t>(worker), static_cast<uint64_t>(series)))->status == Status::ok);
  Client second(keyd);
  REQUIRE(second.ask(hello_of(1, 7))->status == Status::ok);
  CHECK(keyd.last_line().at("worker") == 1);
  CHECK(keyd.last_line().at("result") == "ok");
  CHECK(keyd.last_line().at("reason") == "the worker's earlier connection ends");
  CHECK(first.closed());
  const ipc::Request lookup{2, lookup_of(keyd.device_key, "device")};
  for (Client* client : {&second, &other, &elsewhere}) CHECK(client->ask(lookup)->status == Status::ok);
}

TEST_CASE("processes that speak for themselves have as many connections as they like", "[keyd][server]") {
  Keyd keyd;
  Client first(keyd), second(keyd);
  first.hello();
  second.hello();
  const ipc::Request lookup{2, lookup_of(keyd.device_key, "device")};
  for (Client* client : {&first, &second}) CHECK(client->ask(lookup)->status == Status::ok);
}

TEST_CASE("a worker's rate is its own, though one process connects for all", "[keyd][server]") {
  Keyd keyd({geteuid()}, 8, {.worker_rate = {2, common::Milliseconds(3'600'000)}});
  const ipc::Request lookup{2, lookup_of(keyd.device_key, "device")};
  Client greedy(keyd), other(keyd);
  REQUIRE(greedy.ask(hello_of(1, 7))->status == Status::ok);
  REQUIRE(other.ask(hello_of(2, 7))->status == Status::ok);
  while (greedy.ask(lookup)->status == Status::ok) {
  }
  CHECK(keyd.last_line().at("reason") == "worker_rate");
  CHECK(other.ask(lookup)->status == Status::ok);
  Client again(keyd);  // a new connection is no new start
  REQUIRE(again.ask(hello_of(1, 7))->status == Status::ok);
  CHECK(again.ask(lookup)->status == Status::busy);
}
