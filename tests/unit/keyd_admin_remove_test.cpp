// `mqtt-relay keys remove`.
#include "keyd/admin/remove.h"

#include <algorithm>

#include "keyd/admin/change_report.h"
#include "keyd_support.h"

using namespace keyd;
using namespace keyd::admin;
using namespace keyd_test;

namespace {

struct Removal {
  Removal() : directory({keys.path(), "test"}, geteuid()) {}
  RemoveSummary remove(const RemoveOptions& options) {
    std::ostringstream out;
    RemoveReport report(options, out, {});
    const auto summary = remove_keys(options, directory, [&](const Removed& key) { report.add(key); });
    text = out.str() + in_words(summary);
    return summary;
  }
  bool is_there(const std::string& name) const {
    return std::filesystem::exists(std::filesystem::symlink_status(keys / name));
  }
  bool says(const std::string& part) const { return text.find(part) != std::string::npos; }
  ScratchDir keys;
  KeysDirectory directory;
  std::string text;
};

}  // namespace

TEST_CASE("keys remove removes the keys of these client ids and no others, and says that sessions stay",
          "[keyd][keyd-remove]") {
  Removal removal;
  for (const char* name : {"a.pem", "b.pem", "c.pem"}) removal.keys.put(name, "any");
  const auto summary = removal.remove({.client_ids = {"a", "c"}});
  CHECK(summary.removed == 2);
  CHECK(summary.failed == 0);
  CHECK_FALSE(removal.is_there("a.pem"));
  CHECK(removal.is_there("b.pem"));
  CHECK_FALSE(removal.is_there("c.pem"));
  CHECK(removal.says("removed a\n"));
  CHECK(removal.says("mqtt-relay drop"));
}

TEST_CASE("keys remove names the client id that was probably meant, and goes on with the others",
          "[keyd][keyd-remove]") {
  Removal removal;
  for (const char* name : {"sensor-17.pem", "Pump.pem", "z.pem"}) removal.keys.put(name, "any");
  const auto summary = removal.remove({.client_ids = {"sensor-71", "pump", "quite-another", "z"}});
  CHECK(summary.removed == 1);
  CHECK(summary.failed == 3);
  CHECK(removal.says("sensor-71: it has no key; did you mean \"sensor-17\"?"));
  CHECK(removal.says("pump: it has no key; did you mean \"Pump\"?"));
  CHECK(removal.says("quite-another: it has no key\n"));
  CHECK(removal.is_there("Pump.pem"));
}

TEST_CASE("keys remove leaves its directory only for names that are in it", "[keyd][keyd-remove]") {
  Removal removal;
  ScratchDir outside;
  const auto target = outside.put("target.pem", "precious");
  std::filesystem::create_symlink(target, removal.keys / "link.pem");
  std::filesystem::create_directory(removal.keys / "folder.pem");
  const std::string up = "../" + std::filesystem::path(outside.path()).filename().string() + "/target";
  const auto summary = removal.remove({.client_ids = {up, "link", "folder", "", std::string(252, 'x')}});
  CHECK(summary.removed == 1);  // the link, not what it names
  CHECK_FALSE(removal.is_there("link.pem"));
  CHECK(slurp(target) == "precious");
  CHECK(removal.says("it has a /"));
  CHECK(removal.says("folder: it can't be removed: Is a directory"));
}

TEST_CASE("keys remove reads a list of client ids, one a line, with any line ends", "[keyd][keyd-remove]") {
  Removal removal;
  for (const char* name : {"a.pem", "b c.pem", "#d.pem", "e.pem"}) removal.keys.put(name, "any");
  const auto list = removal.keys.put("list", "a\r\nb c\n\n#d\ne");
  const auto summary = removal.remove({.client_ids = {}, .list = list});
  CHECK(summary.removed == 4);
  CHECK(summary.failed == 0);
  CHECK_THROWS_WITH(removal.remove({}), Catch::Contains("--from-file"));
  CHECK_THROWS_WITH(removal.remove({.client_ids = {"x"}, .list = "/nonexistent"}), Catch::Contains("can't be opened"));
}
