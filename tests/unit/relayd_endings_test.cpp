// What relayd remembers of how connections ended, and what `mqtt-relay explain` makes of it.
#include "relayd/handover/endings.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "relayd/admin/explain.h"
#include "relayd/supervisor/slot_endings.h"
#include "tests/unit/catch.h"

using namespace relayd;
using admin::Json;

namespace {

struct Remembered {
  common::Fd fd = EndingsTable::create();
  EndingsTable worker{fd.get()}, supervisor{fd.get()};

  void end(const std::string& id, int64_t at, const std::string& why = "why", const std::string& name = "") {
    worker.remember(
        {.at = at, .session = 7, .client_id = id, .common_name = name, .device = "192.0.2.1:5", .why = why});
  }
  std::string why(const std::string& id) const {
    const auto last = supervisor.last(id);
    return last ? last->why : "nothing";
  }
};

}  // namespace

TEST_CASE("endings: the last end of each device is remembered whole", "[endings]") {
  Remembered test;
  CHECK(test.why("dev-1") == "nothing");
  test.worker.remember({.at = 1'700'000'000'123,
                        .session = 0xabcdef,
                        .was_up = true,
                        .client_id = "dev-1",
                        .common_name = "cn-1",
                        .device = "[2001:db8::1]:8883",
                        .listener = "tls",
                        .why = "the device disconnected"});
  const auto last = test.supervisor.last("dev-1");
  REQUIRE(last);
  CHECK(last->at == 1'700'000'000'123);
  CHECK(last->session == 0xabcdef);
  CHECK(last->was_up);
  CHECK(last->proven);
  CHECK(last->client_id == "dev-1");
  CHECK(last->common_name == "cn-1");
  CHECK(last->device == "[2001:db8::1]:8883");
  CHECK(last->listener == "tls");
  CHECK(last->why == "the device disconnected");
  test.end("dev-1", 1'700'000'000'124, "later");
  CHECK(test.why("dev-1") == "later");
  CHECK(test.why("cn-1") == "nothing");  // its client id is known, so it is found by that
}

TEST_CASE("endings: a full memory forgets the oldest, and a device that comes again and again pushes out nobody",
          "[endings]") {
  Remembered test;
  for (size_t i = 0; i < EndingsTable::kDevices; i++) test.end("dev-" + std::to_string(i), 1000 + static_cast<int>(i));
  for (int i = 0; i < 1000; i++) test.end("dev-5", 5000 + i, "again");
  CHECK(test.why("dev-0") == "why");
  CHECK(test.why("dev-5") == "again");
  test.end("new", 9000);
  CHECK(test.why("dev-0") == "nothing");
  CHECK(test.why("dev-1") == "why");
  CHECK(test.why("dev-5") == "again");
  CHECK(test.why("new") == "why");
}

TEST_CASE("endings: neither nameless connections nor refused certificates push out a device", "[endings]") {
  Remembered test;
  test.end("dev-1", 1);
  for (int i = 0; i < 2000; i++) {
    test.end("", 100 + i);
    test.worker.remember({.at = 100 + i, .proven = false, .common_name = "cn-" + std::to_string(i), .why = "expired"});
  }
  CHECK(test.why("dev-1") == "why");
  CHECK(test.why("cn-1999") == "expired");
  CHECK(test.why("cn-0") == "nothing");
  CHECK(test.why("") == "nothing");
  test.end("", 5000, "left before CONNECT", "dev-1");  // a proven name, and it is a device's client id
  CHECK(test.why("dev-1") == "left before CONNECT");
}

TEST_CASE("endings: texts are cut, and lengths that a worker made up are not believed", "[endings]") {
  Remembered test;
  test.end(std::string(251, 'i'), 1, std::string(5000, 'w'), std::string(5000, 'n'));
  const auto last = test.supervisor.last(std::string(251, 'i'));
  REQUIRE(last);
  CHECK(last->client_id.size() == 251);
  CHECK(last->why == std::string(768, 'w'));
  CHECK(last->common_name.size() == 128);
  struct stat info {};
  REQUIRE(fstat(test.fd.get(), &info) == 0);
  void* memory = mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ | PROT_WRITE, MAP_SHARED, test.fd.get(), 0);
  REQUIRE(memory != MAP_FAILED);
  for (const int fill : {0xff, 0xa4, 0x01, 0x00}) {
    memset(memory, fill, static_cast<size_t>(info.st_size));
    for (const char* id : {"dev-1", "", "i"}) (void)test.supervisor.last(id);
    test.end("dev-1", 9'000'000'000'000'000'000);
    (void)test.supervisor.last("dev-1");
  }
  munmap(memory, static_cast<size_t>(info.st_size));
}

TEST_CASE("endings: of all slots the latest end counts", "[endings]") {
  SlotEndings slots;
  slots.grow(3);
  slots.grow(2);
  CHECK(slots.slots() == 3);
  EndingsTable first(slots.fd(0)), third(slots.fd(2));
  first.remember({.at = 20, .client_id = "d", .why = "later"});
  third.remember({.at = 10, .client_id = "d", .why = "earlier"});
  CHECK(slots.last("d")->why == "later");
  CHECK_FALSE(slots.last("e"));
}

TEST_CASE("explain: one paragraph says what happened, when, where, why, and what mends it", "[endings]") {
  admin::Known known{.ending = {{"at_ms", 1'700'000'000'000},
                                {"session", "000000000000abcd"},
                                {"was_up", false},
                                {"proven", true},
                                {"client_id", "dev-1"},
                                {"common_name", "cn-1"},
                                {"device", "192.0.2.1:5"},
                                {"listener", "tls"},
                                {"why",
                                 "refused: keyd refused the device's key: key dev-1.pem does not match the certificate "
                                 "that dev-1 presented (SPKI 1a2b…)"},
                                {"fix", "install the device's key again"}},
                     .session = {},
                     .denial = {{"time", "2023-11-14T22:13:20Z"},
                                {"event", "lookup"},
                                {"result", "mismatch"},
                                {"reason", "another key"}},
                     .devices = 512};
  CHECK(admin::explanation("dev-1", known) ==
        "The device dev-1 was last refused at 2023-11-14T22:13:20Z: keyd refused the device's key: key dev-1.pem does "
        "not match the certificate that dev-1 presented (SPKI 1a2b…). It came from 192.0.2.1:5 to the listener tls "
        "with a certificate for cn-1 (session 000000000000abcd). keyd's audit has, at 2023-11-14T22:13:20Z, lookup "
        "answered mismatch: another key. Now: install the device's key again.");
  known.ending.erase("fix");
  known.ending["why"] = "refused: the device has no key on this gateway (listener.no_key)";
  CHECK(admin::explanation("dev-1", known).ends_with("Now: import its key: `mqtt-relay keys import dev-1.pem`."));
  known.ending = Json();
  known.denial = Json();
  known.audit_problem = "no";
  const std::string nothing = admin::explanation("a\"b", known);
  CHECK(nothing.find("more than 512 devices") != std::string::npos);
  CHECK(nothing.find("grep -F '\"client_id\":\"a\\\"b\"'") != std::string::npos);
  CHECK(nothing.find("audit could not be read") != std::string::npos);
  CHECK(admin::explanation("d", {.ending = {{"at_ms", "x"}, {"why", 7}}}).find("at ?") != std::string::npos);
}
