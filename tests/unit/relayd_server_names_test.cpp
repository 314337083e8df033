#include "relayd/tls/server_names.h"

#include "tests/unit/catch.h"

using relayd::tls::ServerNames;

TEST_CASE("server names: a name leads to its certificate, in any case, and every other one to the first") {
  ServerNames names;
  CHECK(names.add({"ignored.test", {"first.test"}}));
  CHECK(names.add({"", {"Second.Test", "also.second.test"}}));
  CHECK(names.add({"only-cn.test", {}}));
  CHECK(names.find("first.test") == 0);
  CHECK(names.find("second.test") == 1);
  CHECK(names.find("SECOND.TEST") == 1);
  CHECK(names.find("also.second.test") == 1);
  CHECK(names.find("only-cn.test") == 2);
  for (const std::string other : {"", "ignored.test", "test", ".test", "second", "second.test.", "x.second.test"})
    CHECK(names.find(other) == 0);
  CHECK(names.find(std::string_view("second.test\0", 12)) == 0);
}

TEST_CASE("server names: a wildcard stands for one whole label, and an exact name is preferred") {
  ServerNames names;
  names.add({"", {"default.test"}});
  names.add({"", {"*.wild.test"}});
  names.add({"", {"exact.wild.test"}});
  CHECK(names.find("any.wild.test") == 1);
  CHECK(names.find("exact.wild.test") == 2);
  for (const std::string other : {"wild.test", "a.b.wild.test", "*.test", "xwild.test"}) CHECK(names.find(other) == 0);
}

TEST_CASE("server names: a certificate without a name of its own is told apart, and the first one with a name counts") {
  ServerNames names;
  CHECK(names.add({"", {"a.test", "b.test"}}));
  CHECK(names.add({"", {"b.test", "c.test"}}));
  CHECK(names.find("b.test") == 0);
  CHECK_FALSE(names.add({"c.test", {"a.test"}}));  // a common name counts only without DNS names
  CHECK_FALSE(names.add({"", {"urn:device:1"}}));  // a URI is no server's name
  CHECK_FALSE(names.add({"", {}}));
}
