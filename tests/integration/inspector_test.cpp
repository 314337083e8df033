// A separate process, the inspector, judges certificates, CAs and CRLs before a worker starts, and once a minute.
#include "test_paths.h"
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

// An answer as relayd/handover/archive.h writes it.
std::string number(uint32_t value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }
std::string text(const std::string& content) { return number(static_cast<uint32_t>(content.size())) + content; }

// The SHA-256 of the listener's public key.
std::string listener_spki(World& world) {
  const auto digest =
      run({.argv = {"sh", "-c", "openssl pkey -in \"$0\" -pubout -outform DER | openssl dgst -sha256 -r",
                    world.directory / "listener.key"}});
  std::string bytes;
  for (size_t at = 0; at < 64; at += 2) bytes += static_cast<char>(std::stoi(digest.out.substr(at, 2), nullptr, 16));
  return bytes;
}

// The inspector's place taken by a program that gives whatever answer the test writes.
class FakeInspector {
 public:
  FakeInspector() {
    world.relay().start_keyd();
    const auto inspector = world.directory / "libexec/mqtt-relayd-inspector";
    fs::remove(inspector);
    fs::copy_file(fs::path(MQTT_RELAY_PROGRAMS) / "inspector_stand_in", inspector);
    spki = listener_spki(world);
  }
  void answer(const std::string& bytes) { write_file(world.directory / "libexec/mqtt-relayd-inspector.answer", bytes); }

  World world{{.start = false}};
  std::string spki;
};

}  // namespace

TEST_CASE("if the inspector gives no answer, relayd exits with 1, so that the service manager tries again") {
  const auto ended = run_with_inspector("/bin/false");
  CHECK(ended.status.code == 1);
  CHECK(ended.err.find("mqtt-relayd-inspector ended with exit status 1") != std::string::npos);
}

TEST_CASE("relayd does not trust a malformed answer from the inspector") {
  FakeInspector inspector;
  const std::string no_problem = text(""), texts = text("ca.pem") + text("CN=CA") + text("expired") + text("renew it"),
                    expired(1, '\0'), harmless(1, '\1');
  const std::string head = no_problem + number(1) + inspector.spki, concern = expired + texts + harmless;
  const std::string expiry = std::string(1, '\1') + text("a.crl") + text("CN=CA") + number(1'800'000'000) + number(0),
                    good = head + number(1) + concern + number(1) + expiry;
  const std::string all_bits = number(0xffffffff);

  std::vector<std::pair<std::string, std::string>> malformed{
      {"empty", ""},
      {"a trailing byte", good + '\0'},
      {"twice", good + good},
      {"the problem's length is too large by one", number(static_cast<uint32_t>(good.size() - 3)) + good.substr(4)},
      {"the problem has 4 GiB", all_bits + good.substr(4)},
      {"one concern too many", head + number(2) + concern},
      {"one concern too few", head + number(0) + concern},
      {"2^32 - 1 concerns", head + all_bits + concern},
      {"2^32 - 1 concerns and no byte of them", head + all_bits},
      {"a file's name of 4 GiB", head + number(1) + expired + all_bits + concern.substr(5)},
      {"a file's name of 2 GiB", head + number(1) + expired + number(0x80000000) + concern.substr(5)},
      {"a boolean of 2", head + number(1) + expired + texts + '\2'},
      {"an expiry of an unknown kind", head + number(0) + number(1) + '\3' + expiry.substr(1)},
      {"one expiry too many", head + number(0) + number(2) + expiry},
      {"2^32 - 1 expiries", head + number(0) + all_bits + expiry},
      {"a concern of an unknown kind", head + number(1) + std::string(1, '\x0e') + texts + harmless},
      {"no listener's key", no_problem + number(0) + number(0) + number(0)},
      {"a listener's key too many", no_problem + number(2) + inspector.spki + inspector.spki + number(0) + number(0)},
      {"noise", std::string(1000, '\xa5')}};
  for (size_t size = 1; size < good.size(); size += 5)
    malformed.emplace_back("cut to " + std::to_string(size), good.substr(0, size));
  malformed.emplace_back("cut by one", good.substr(0, good.size() - 1));
  for (const auto& [what, answer] : malformed) {
    CAPTURE(what);
    inspector.answer(answer);
    const auto ended = inspector.world.relay().run_relayd();
    CHECK(ended.status.code == 1);
    CHECK(ended.err.find("mqtt-relayd-inspector gave a malformed answer") != std::string::npos);
  }
  // Well-formed but for its size.
  inspector.answer(text(std::string(1 << 20, 'x')) + number(1) + inspector.spki + number(0) + number(0));
  const auto ended = inspector.world.relay().run_relayd();
  CHECK(ended.status.code == 1);
  CHECK(ended.err.find("mqtt-relayd-inspector answered with more than 262144 bytes") != std::string::npos);

  // Positive control: relayd starts with the answer from which these were made.
  inspector.answer(good);
  inspector.world.relay().start_relayd();
  CHECK(inspector.world.relay().log().count_text("renew it") > 0);
}

TEST_CASE("if the inspector program is missing, relayd exits and reports its path") {
  const auto ended = run_with_inspector("");
  CHECK(ended.status.code == 1);
  CHECK(ended.err.find("libexec/mqtt-relayd-inspector") != std::string::npos);
}
