// What both halves of the operator's command share: the report of `check`, and the suggestion for a mistyped command.
#include <sstream>

#include <nlohmann/json.hpp>

#include "common/commands.h"
#include "common/nearest.h"
#include "common/operator/checks.h"
#include "tests/unit/catch.h"

using namespace common;
using json = nlohmann::json;

namespace {

const Check kOk{Result::ok, "fine"}, kWarning{Result::warning, "hm", "do"}, kError{Result::error, "bad\033[2J", "do"};

int report(const std::vector<Check>& keyd, const std::vector<Check>& relayd, const ReportOptions& options,
           std::ostream& out) {
  return report_checks({{"keyd", "keyd.json", keyd}, {"relayd", "relayd.json", relayd}}, options, out, {});
}

}  // namespace

TEST_CASE("check exits with 1 for an error of either daemon, and with 2 for a warning with --warnings-as-errors") {
  const ReportOptions plain, strict{.warnings_as_errors = true};
  std::ostringstream out;
  CHECK(report({kOk}, {kOk}, strict, out) == 0);
  CHECK(report({kOk}, {kWarning}, plain, out) == 0);
  CHECK(report({kWarning}, {kOk}, strict, out) == 2);
  CHECK(report({kOk}, {kWarning}, strict, out) == 2);
  CHECK(report({kError}, {kWarning}, strict, out) == 1);
  CHECK(report({kWarning}, {kError}, plain, out) == 1);
  CHECK(out.str().find("1 error, 1 warning, 0 ok, 0 skipped\n") != std::string::npos);
  CHECK(out.str().find('\033') == std::string::npos);
}

TEST_CASE("check's JSON is one object, in which each check names its daemon") {
  std::ostringstream out;
  CHECK(report({kOk, kWarning}, {kError}, {.json = true}, out) == 1);
  const json all = json::parse(out.str());
  CHECK(all.at("errors") == 1);
  CHECK(all.at("warnings") == 1);
  REQUIRE(all.at("checks").size() == 3);
  CHECK(all.at("checks")[1] ==
        json({{"daemon", "keyd"}, {"name", ""}, {"result", "warning"}, {"found", "hm"}, {"fix", "do"}}));
  CHECK(all.at("checks")[2].at("daemon") == "relayd");
}

TEST_CASE("one half's checks reach the other half unchanged, file names that are not UTF-8 included") {
  const std::vector<Check> sent{{.result = Result::error,
                                 .found = "1 of \xff\xfe.pem",
                                 .fix = "rename it",
                                 .details = {"\x80.pem: it is not PEM", ""},
                                 .name = "key-files"},
                                {.result = Result::skipped, .found = "", .name = "socket"}};
  const auto arrived = unpacked(packed(sent));
  REQUIRE(arrived.size() == 2);
  for (size_t i = 0; i < sent.size(); i++) {
    CHECK(arrived[i].result == sent[i].result);
    CHECK(arrived[i].name == sent[i].name);
    CHECK(arrived[i].found == sent[i].found);
    CHECK(arrived[i].fix == sent[i].fix);
    CHECK(arrived[i].details == sent[i].details);
  }
  const std::string bytes = packed(sent);
  CHECK_THROWS(unpacked(bytes.substr(0, bytes.size() - 1)));
  CHECK_THROWS(unpacked(""));
}

TEST_CASE("the suggested command is the one with the fewest edits, and a strange word gets no suggestion") {
  const std::vector<std::string> commands{"init", "check", "verify", "status", "keys", "reload", "disconnect", "audit"};
  CHECK(nearest("chekc", commands) == "check");
  CHECK(nearest("statsu", commands) == "status");
  CHECK(nearest("stat", commands) == "status");
  CHECK(nearest("key", commands) == "keys");
  CHECK(nearest("disconect", commands) == "disconnect");
  CHECK(nearest("verfiy", commands) == "verify");
  CHECK(nearest("serve", commands) == "");
  CHECK(nearest("", commands) == "");
  CHECK(nearest("frobnicate", commands) == "");
}
