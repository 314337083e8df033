#include "relayd/handover/username_template.h"
#include "tests/unit/catch.h"

using namespace relayd;

TEST_CASE("username template: placeholders stand for the client id and the common name") {
  CHECK(expand_username("{clientid}", "dev1", "CN 1") == "dev1");
  CHECK(expand_username("site-7/{cn}:{clientid}", "dev1", "CN 1") == "site-7/CN 1:dev1");
  CHECK(expand_username("{{{cn}}}", "dev1", "CN 1") == "{CN 1}");
  CHECK(expand_username("fixed", "dev1", "CN 1") == "fixed");
  CHECK(expand_username("{cn}", "dev1", "{clientid}") == "{clientid}");  // what is put in is not expanded again
  CHECK(uses_common_name("a{cn}"));
  CHECK_FALSE(uses_common_name("{clientid}{{cn}}"));
}

TEST_CASE("username template: a brace without a partner, or an unknown placeholder, is a flaw") {
  for (const char* good : {"", "x", "{cn}", "{{", "}}", "{clientid}{cn}"}) {
    INFO(good);
    CHECK(flaw_in_username(good).empty());
  }
  for (const char* bad : {"{", "}", "{cn", "cn}", "{}", "{CN}", "{username}", "{cn }", "{{}"}) {
    INFO(bad);
    CHECK_FALSE(flaw_in_username(bad).empty());
  }
}
