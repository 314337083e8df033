// A separate process, the inspector, judges certificates, CAs and CRLs before a worker starts, and once a minute.
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// The output and exit status of relayd with another program in the inspector's place.
Finished run_with_inspector(const fs::path& instead) {
  World world({.start = false});
  world.relay().start_keyd();
  const auto inspector = world.directory / "libexec/mqtt-relayd-inspector";
  fs::remove(inspector);
  if (!instead.empty()) fs::copy_file(instead, inspector);
  return world.relay().run_relayd();
}

}  // namespace

TEST_CASE("if the inspector gives no answer, relayd exits with 1, so that the service manager tries again") {
  const auto ended = run_with_inspector("/bin/false");
  CHECK(ended.status.code == 1);
  CHECK(ended.err.find("mqtt-relayd-inspector ended with exit status 1") != std::string::npos);
}

TEST_CASE("relayd does not trust a malformed answer from the inspector") {
  const auto ended = run_with_inspector("/bin/true");
  CHECK(ended.status.code == 1);
  CHECK(ended.err.find("mqtt-relayd-inspector gave a malformed answer") != std::string::npos);
}

TEST_CASE("if the inspector program is missing, relayd exits and reports its path") {
  const auto ended = run_with_inspector("");
  CHECK(ended.status.code == 1);
  CHECK(ended.err.find("libexec/mqtt-relayd-inspector") != std::string::npos);
}
