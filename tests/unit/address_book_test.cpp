// The order in which addresses and brokers are tried.
#include "relayd/connector/address_book.h"

#include <map>
#include <set>

#include "ipc/protocol.h"
#include "relayd/handover/channel.h"
#include "tests/unit/catch.h"

using relayd::Config, relayd::SocketAddress;
using relayd::connector::AddressBook, relayd::connector::BrokerOrder, relayd::connector::Route;

namespace {

constexpr uint64_t kLater = AddressBook::kDemotion;

Route at(const char* address, uint8_t broker = 0) { return {*SocketAddress::parse(address), broker}; }

std::vector<std::string> texts(const std::vector<Route>& routes) {
  std::vector<std::string> result;
  for (const Route& route : routes) result.push_back(route.address.text());
  return result;
}

std::vector<int> brokers_of(const std::vector<Route>& routes) {
  std::vector<int> result;
  for (const Route& route : routes) result.push_back(route.broker);
  return result;
}

AddressBook book_of(std::initializer_list<const char*> addresses) {
  std::vector<SocketAddress> parsed;
  for (const char* text : addresses) parsed.push_back(*SocketAddress::parse(text));
  return AddressBook(parsed);
}

std::vector<SocketAddress> addresses_of(int broker, int count) {
  std::vector<SocketAddress> all;
  for (int i = 1; i <= count; i++)
    all.push_back(*SocketAddress::parse("192.0." + std::to_string(broker) + "." + std::to_string(i), 1));
  return all;
}

// Brokers a, b, c, … with one address each, or more.
AddressBook several(Config::Strategy strategy, size_t brokers, int addresses = 1) {
  std::vector<Config::Endpoint> names;
  for (size_t i = 0; i < brokers; i++) names.push_back({std::string(1, static_cast<char>('a' + i)), 8883});
  AddressBook book(brokers, BrokerOrder(strategy, names));
  for (size_t i = 0; i < brokers; i++) book.replace(i, addresses_of(static_cast<int>(i), addresses));
  return book;
}

int first_broker(AddressBook& book, uint64_t now, uint64_t device = 0) {
  return book.order(now, device).front().broker;
}

}  // namespace

TEST_CASE("address book: families take turns, beginning with the resolver's first") {
  auto book = book_of({"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "192.0.2.1:1", "192.0.2.2:1"});
  CHECK(texts(book.order(0)) == std::vector<std::string>{"[2001:db8::1]:1", "192.0.2.1:1", "[2001:db8::2]:1",
                                                         "192.0.2.2:1", "[2001:db8::3]:1"});
}

TEST_CASE("address book: a demoted address comes last for its time, and no address is left out") {
  auto book = book_of({"192.0.2.1:1", "192.0.2.2:1"});
  book.demote(at("192.0.2.1:1"), 1000);
  CHECK(texts(book.order(1000)) == std::vector<std::string>{"192.0.2.2:1", "192.0.2.1:1"});
  CHECK(texts(book.order(1000 + AddressBook::kDemotion)) == std::vector<std::string>{"192.0.2.1:1", "192.0.2.2:1"});
  book.demote(at("192.0.2.2:1"), 1000);
  CHECK(texts(book.order(1000)) == std::vector<std::string>{"192.0.2.1:1", "192.0.2.2:1"});
}

TEST_CASE("address book: a new order, or one address more or less, does not end another address's demotion") {
  auto book = book_of({"192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"});
  const auto first = at("192.0.2.1:1"), second = at("192.0.2.2:1"), third = at("192.0.2.3:1");
  book.demote(first, 0);
  book.replace(0, {first.address, third.address, second.address});
  CHECK(book.order(1) == std::vector{third, second, first});
  book.replace(0, {first.address, second.address});
  CHECK(book.order(1) == std::vector{second, first});
}

TEST_CASE("address book: a success or a change of the addresses ends a demotion, the same addresses again do not") {
  auto book = book_of({"192.0.2.1:1", "192.0.2.2:1"});
  const auto first = at("192.0.2.1:1"), second = at("192.0.2.2:1");
  const auto demoted = std::vector{second, first};
  book.demote(first, 0);
  book.replace(0, {first.address, second.address});
  CHECK(book.order(1) == demoted);
  SECTION("success") { book.promote(first); }
  SECTION("change") {
    book.replace(0, {second.address});
    book.replace(0, {first.address, second.address});
  }
  CHECK(book.order(1) == std::vector{first, second});
}

TEST_CASE(
    "address book: after its time a single dial tries an address in its old place, and the others once it is good") {
  auto book = book_of({"192.0.2.1:1", "192.0.2.2:1"});
  const auto first = at("192.0.2.1:1"), second = at("192.0.2.2:1");
  const auto usual = std::vector{first, second}, demoted = std::vector{second, first};
  book.demote(first, 0);
  CHECK(book.order(kLater - 1) == demoted);
  CHECK(book.order(kLater) == usual);
  CHECK(book.order(kLater) == demoted);
  SECTION("it is good") {
    book.promote(first);
    CHECK(book.order(kLater) == usual);
    CHECK(book.order(kLater) == usual);
  }
  SECTION("it says nothing") {
    CHECK(book.order(2 * kLater - 1) == demoted);
    CHECK(book.order(2 * kLater) == usual);
    CHECK(book.order(2 * kLater) == demoted);
  }
}

TEST_CASE("address book: an address that no dial would begin with needs no proof") {
  auto book = book_of({"192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"});
  book.demote(at("192.0.2.2:1"), 0);
  for (int i = 0; i < 2; i++)
    CHECK(texts(book.order(kLater)) == std::vector<std::string>{"192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"});
}

TEST_CASE("brokers: failover tries them in the given order, and an ill one last") {
  auto book = several(Config::Strategy::failover, 3);
  CHECK(brokers_of(book.order(0)) == std::vector{0, 1, 2});
  book.demote(book.order(0)[0], 0);
  CHECK(brokers_of(book.order(1)) == std::vector{1, 2, 0});
  book.demote(book.order(1)[0], 1);
  CHECK(brokers_of(book.order(2)) == std::vector{2, 0, 1});
}

TEST_CASE("brokers: with round_robin each dial begins with the next one that is well") {
  auto book = several(Config::Strategy::round_robin, 3);
  for (int i = 0; i < 9; i++) CHECK(first_broker(book, 0) == i % 3);
  book.demote(at("192.0.1.1:1", 1), 0);
  std::map<int, int> firsts;
  for (int i = 0; i < 10; i++) firsts[first_broker(book, 1)]++;
  CHECK(firsts == std::map<int, int>{{0, 5}, {2, 5}});
}

TEST_CASE("brokers: with hash_clientid a device meets the same one, and only a lost one's devices move") {
  auto book = several(Config::Strategy::hash_clientid, 3);
  constexpr uint64_t kDevices = 3000;
  std::map<uint64_t, int> home;
  std::map<int, int> load;
  for (uint64_t device = 0; device < kDevices; device++) load[home[device] = first_broker(book, 0, device)]++;
  for (int broker = 0; broker < 3; broker++) CHECK(std::abs(load[broker] - 1000) < 150);
  book.demote(at("192.0.1.1:1", 1), 0);
  std::set<int> refuges;
  for (uint64_t device = 0; device < kDevices; device++) {
    const int now = first_broker(book, 1, device);
    if (home[device] != 1) CHECK(now == home[device]);
    else refuges.insert(now);
  }
  CHECK(refuges == std::set{0, 2});
  book.promote(at("192.0.1.1:1", 1));
  for (uint64_t device = 0; device < kDevices; device++) CHECK(first_broker(book, 2, device) == home[device]);
}

TEST_CASE(
    "brokers: another worker, and another relay with the brokers in another order, sends a device to the same one") {
  const std::vector<Config::Endpoint> names{{"a", 1}, {"b", 1}, {"c", 1}}, shuffled{{"c", 1}, {"a", 1}, {"b", 1}};
  BrokerOrder one(Config::Strategy::hash_clientid, names), other(Config::Strategy::hash_clientid, shuffled);
  for (uint64_t device = 0; device < 100; device++)
    CHECK(names[one.next({0, 1, 2}, {}, device)[0]] == shuffled[other.next({0, 1, 2}, {}, device)[0]]);
}

TEST_CASE("brokers: the addresses of all of them are bounded, and the first tries are not all of one") {
  for (const size_t brokers : {size_t{2}, size_t{3}, Config::kMaxBrokers}) {
    auto book = several(Config::Strategy::failover, brokers, 16);
    const auto routes = book.order(0);
    CHECK(routes.size() <= relayd::channel::kMaxAddresses);
    const auto all = brokers_of(routes);
    CHECK(std::set(all.begin(), all.end()).size() == brokers);
    CHECK(all.front() == 0);
    CHECK(all[ipc::kMaxTries - 1] == 1);
  }
}

TEST_CASE("brokers: one address under two brokers has two names, so each broker's own name is verified there") {
  AddressBook book(2, BrokerOrder(Config::Strategy::failover, {{"a", 1}, {"b", 1}}));
  for (const size_t broker : {size_t{0}, size_t{1}}) book.replace(broker, addresses_of(7, 1));
  const auto routes = book.order(0);
  REQUIRE(routes.size() == 2);
  const uint64_t number = AddressBook::number_of(routes[1]);
  CHECK(number != AddressBook::number_of(routes[0]));
  CHECK(book.named({&number, 1}) == std::vector{routes[1]});
  book.demote(routes[0], 0);
  CHECK(book.is_doubtful(routes[0]));
  CHECK_FALSE(book.is_doubtful(routes[1]));
}
