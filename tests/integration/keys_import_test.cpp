// `mqtt-relay keys import` and `keys remove` beside a running gateway: a rotation takes effect with the device's next
// connection, and what goes wrong leaves the old key in use.
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/harness/keyd.h"
#include "tests/integration/harness/need.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

bool text_has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string key_hash_of(const Identity& identity) {
  const auto digest = run(
      {.argv = {"sh", "-c", "openssl pkey -in \"$0\" -pubout -outform DER | openssl dgst -sha256 -r", identity.key}});
  return digest.out.substr(0, 64);
}

// A gateway, and a directory of new keys on it.
struct KeyRotation {
  explicit KeyRotation(WorldOptions options = {}) : world(options) { fs::create_directory(source); }

  ProcessOptions command(std::vector<std::string> words) {
    words.insert(words.end(), {"--config", world.relay().keyd_configuration()});
    return world.relay().operator_command(std::move(words));
  }
  Finished ask(std::vector<std::string> words) { return run(command(std::move(words))); }
  Finished import(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"keys", "import", source};
    words.insert(words.end(), more.begin(), more.end());
    return ask(words);
  }
  // A key and a certificate, as whoever issues them delivers both.
  void deliver(const std::string& client_id, const Identity& key, const Identity& certificate) {
    write_file(source / (client_id + ".pem"), read_file(key.key));
    write_file(source / (client_id + ".crt"), read_file(certificate.certificate));
  }
  // The device connects, and reaches the remote broker as `identity`.
  bool serves(const std::string& client_id, const Identity& identity) {
    const auto mark = world.remote->log().mark();
    auto device = world.device(identity);
    device.join(client_id);
    device.ping();
    return world.remote->connections_of(client_id, mark) == 1 &&
           world.remote->user_of(client_id, mark) == identity.name;
  }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(world.relay_->keys()), fs::directory_iterator()));
  }

  World world;
  fs::path source = world.directory / "new-keys";
};

constexpr size_t kManyKeys = 2'000;

std::string name_of_key(size_t device) { return "device-" + std::to_string(device); }

void deliver_many(const KeyRotation& gateway, size_t count = kManyKeys) {
  std::vector<std::string> keys;
  for (int i = 0; i < 8; i++) keys.push_back(TestKey::generate("P-256").pem);
  for (size_t i = 0; i < count; i++) write_file(gateway.source / (name_of_key(i) + ".pem"), keys[i % keys.size()]);
}

WorldOptions not_started() { return {.remote = RemoteKind::none, .local = false, .start = false}; }

}  // namespace

TEST_CASE("keys import: a replaced key serves the device's next connection, and its session goes on", "[keys-import]") {
  KeyRotation gateway;
  const auto old_pair = device_identity("p256", 1), new_pair = device_identity("p256", 2);
  gateway.deliver("thermo", old_pair, old_pair);
  const auto first = gateway.import();
  CAPTURE(first.out, first.err);
  CHECK(first.status.code == 0);
  CHECK(first.err == "1 key: 1 imported, 0 replaced, 0 unchanged, 0 refused\n");
  auto device = gateway.world.device(old_pair);
  device.join("thermo");
  CHECK(gateway.world.remote->user_of("thermo") == old_pair.name);

  gateway.deliver("thermo", new_pair, new_pair);
  const auto kept = gateway.import();
  CHECK(kept.status.code == 1);
  CHECK(text_has(kept.out, "thermo.pem has another key, SPKI " + key_hash_of(old_pair)));
  const auto replaced = gateway.import({"--replace", "--json"});
  CAPTURE(replaced.out, replaced.err);
  CHECK(replaced.status.code == 0);
  CHECK(text_has(replaced.err, "sessions that are up stay as they are: `mqtt-relay drop CLIENT_ID` ends them"));
  const auto line = Json::parse(replaced.out);
  CHECK(line.at("result") == "replaced");
  CHECK(line.at("certificate") == "matches");
  CHECK(line.at("previous_spki") == key_hash_of(old_pair));
  CHECK(line.at("spki") == key_hash_of(new_pair));

  device.ping();  // it still has its session with the old key
  CHECK(gateway.serves("thermo", new_pair));
  CHECK(gateway.world.refusal(old_pair, "thermo", mqtt::v311) == 5);
}

TEST_CASE("keys import: a key that is not its certificate's is refused, and the old key goes on serving",
          "[keys-import]") {
  KeyRotation gateway;
  const auto good = device_identity("p256", 1), other = device_identity("p256", 2);
  gateway.deliver("thermo", good, good);
  REQUIRE(gateway.import().status.code == 0);
  gateway.deliver("thermo", other, good);
  const auto refused = gateway.import({"--replace"});
  CAPTURE(refused.out, refused.err);
  CHECK(refused.status.code == 1);
  CHECK(text_has(refused.out,
                 "thermo.crt is for another key, SPKI " + key_hash_of(good) + "; this key has " + key_hash_of(other)));
  CHECK(text_has(refused.err, "1 key: 0 imported, 0 replaced, 0 unchanged, 1 refused"));
  CHECK(gateway.serves("thermo", good));
}

TEST_CASE("keys import: audit show lists which key signed when, and so shows a rotation", "[keys-import]") {
  KeyRotation gateway;
  const auto old_pair = device_identity("p256", 1), new_pair = device_identity("p256", 2);
  for (const auto& pair : {old_pair, new_pair}) {
    gateway.deliver("thermo", pair, pair);
    REQUIRE(gateway.import({"--replace"}).status.code == 0);
    REQUIRE(gateway.serves("thermo", pair));
  }
  std::string audit;
  for (const auto& line : gateway.world.relay().audit().lines()) audit += line + "\n";
  const auto file = gateway.world.directory / "audit";
  write_file(file, audit);
  const auto shown = gateway.ask({"audit", "show", file, "--client", "thermo", "--event", "sign"});
  CAPTURE(shown.out, shown.err);
  const auto before = shown.out.find(key_hash_of(old_pair).substr(0, 8)),
             after = shown.out.find(key_hash_of(new_pair).substr(0, 8));
  CHECK(shown.out.find("  KEY ") < before);
  CHECK(before < after);
  CHECK(after != std::string::npos);
  CHECK(shown.out.rfind(key_hash_of(old_pair).substr(0, 8)) < after);
}

TEST_CASE("keys remove: the device's session stays until disconnect, and its next connection is local",
          "[keys-import]") {
  const TempDir room;
  fs::permissions(room.path(), fs::perms::all);  // relayd runs as another user
  KeyRotation gateway({.relayd = {{"control_socket", room / "control.sock"}}});
  const auto identity = device_identity("p256", 1);
  gateway.deliver("thermo", identity, identity);
  REQUIRE(gateway.import().status.code == 0);
  auto device = gateway.world.device(identity);
  device.join("thermo");
  const auto wrong = gateway.ask({"keys", "remove", "thermos"});
  CHECK(wrong.status.code == 1);
  CHECK(wrong.out == "failed thermos: it has no key; did you mean \"thermo\"?\n");
  const auto removed = gateway.ask({"keys", "remove", "thermo"});
  CHECK(removed.status.code == 0);
  CHECK(removed.out == "removed thermo\n");
  CHECK(gateway.files() == 0);
  device.ping();
  CHECK(gateway.world.relay().ask_relayd({"disconnect", "thermo"}).status.code == 0);
  const auto remotes = gateway.world.remote_connections();
  gateway.world.device(identity).join("thermo").ping();
  CHECK(gateway.world.remote_connections() == remotes);
}

TEST_CASE("keys import: thousands of keys go in, and again they are unchanged", "[keys-import]") {
  KeyRotation gateway(not_started());
  deliver_many(gateway);
  const auto all = gateway.import({"--all-or-nothing"});
  CAPTURE(all.err, all.out.substr(0, 1000));
  CHECK(all.status.code == 0);
  CHECK(all.err ==
        "2,000 keys: 2,000 imported, 0 replaced, 0 unchanged, 0 refused; 2,000 without a certificate: not "
        "checked whether it is their device's\n");
  CHECK(gateway.files() == kManyKeys);
  CHECK(text_has(gateway.ask({"keys"}).err, "2,000 keys, 0 of them not usable"));
  CHECK(text_has(gateway.import({"--replace"}).err, "2,000 unchanged"));
}

TEST_CASE("keys import: one that is killed leaves whole keys only, and the next one completes it", "[keys-import]") {
  KeyRotation gateway(not_started());
  constexpr size_t kCount = 500;
  deliver_many(gateway, kCount);
  {
    Process import(gateway.command({"keys", "import", gateway.source, "--json"}));
    import.out().wait_text("imported");
    import.kill();
  }
  for (const auto& entry : fs::directory_iterator(gateway.world.relay().keys())) {
    const auto name = entry.path().filename();
    if (name.extension() == ".pem") CHECK(read_file(entry.path()) == read_file(gateway.source / name.string()));
  }
  const auto rest = gateway.import();
  CHECK(rest.status.code == 0);
  CHECK(gateway.files() == kCount);
}

TEST_CASE("keys import: a user who may not change keys is told so, and changes none", "[keys-import]") {
  NEEDS_ROOT();
  KeyRotation gateway(not_started());
  const auto identity = device_identity("p256", 1);
  gateway.deliver("thermo", identity, identity);
  for (const auto& words : {std::vector<std::string>{"keys", "import", gateway.source}, {"keys", "remove", "thermo"}}) {
    auto command = gateway.command(words);
    command.user = relay_user;
    const auto asked = run(command);
    CAPTURE(asked.err);
    CHECK(asked.status.code != 0);
  }
  CHECK(gateway.files() == 0);
  // The keys belong to keyd's user afterwards, whose own commands can use them.
  REQUIRE(gateway.import().status.code == 0);
  struct stat info {};
  REQUIRE(stat((gateway.world.relay().keys() / "thermo.pem").c_str(), &info) == 0);
  CHECK(info.st_uid == keyd_user);
  CHECK((info.st_mode & 07777) == 0600);
}

TEST_CASE("keys import: wrong command lines are explained with status 64", "[keys-import]") {
  KeyRotation gateway(not_started());
  const auto identity = device_identity("p256", 1);
  const auto refused = [&](const std::vector<std::string>& words, const std::string& what) {
    const auto asked = gateway.ask(words);
    CAPTURE(asked.err);
    CHECK(asked.status.code == 64);
    CHECK(text_has(asked.err, what));
  };
  refused({"keys", "import"}, "SOURCE");
  refused({"keys", "import", "a.pem", "b.pem", "--as", "x"}, "--as with 2 files");
  refused({"keys", "import", "a.pem", "--wide"}, "--wide");
  refused({"keys", "--wide", "import", "a.pem"}, "keys alone");
  refused({"keys", "remove"}, "--from-file");
  CHECK(gateway.ask({"keys", "remove", "x", "--from-file", "/nonexistent"}).status.code == 66);
  CHECK(gateway.ask({"keys", "import", identity.key, "--as", "x", "--certificates", "/nonexistent"}).status.code == 66);
}

TEST_CASE("keys import: a key from standard input, and client ids that are called as a command", "[keys-import]") {
  KeyRotation gateway(not_started());
  const auto identity = device_identity("p256", 1);
  auto piped = gateway.command({"keys", "import", "--as", "import", "-"});
  piped.argv.insert(piped.argv.begin(), {"sh", "-c", "exec \"$@\" < \"$0\"", identity.key});
  const auto imported = run(piped);
  CAPTURE(imported.out, imported.err);
  CHECK(imported.status.code == 0);
  const auto shown = run(gateway.world.relay().operator_command(
      {"keys", "--config", gateway.world.relay().keyd_configuration(), "--", "import"}));
  CHECK(text_has(shown.err, "\"import\" has a key"));
  CHECK(gateway.ask({"keys", "remove", "import"}).out == "removed import\n");
}
