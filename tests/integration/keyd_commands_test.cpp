// The commands about keyd, run with the shipped programs: exit statuses, standard output and standard error, and
// agreement with the running keyd.
#include <sys/stat.h>
#include <unistd.h>

#include <regex>
#include <set>

#include "tests/integration/harness/need.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

Finished ask(std::vector<std::string> words, std::vector<std::string> environment = {}) {
  auto command = mqtt_relay(std::move(words));
  command.environment = std::move(environment);
  return run(command);
}

// Standard input comes from a file, as a pipe would deliver it.
Finished ask_with_input(const fs::path& input, const std::string& words) {
  return run({.argv = {"sh", "-c", "exec \"$0\" " + words + " < \"$1\"", mqtt_relay({}).argv.front(), input.string()}});
}

// keyd's configuration and keys, without a process.
WorldOptions at_rest() { return {.remote = RemoteKind::none, .local = false, .start = false}; }

// The audit of a real keyd, saved to a file.
struct Recorded {
  Recorded() {
    World world({.remote = RemoteKind::none});
    for (int i = 0; i < 3; ++i) {
      const auto identity = device_identity("p256", 1);
      world.device(identity).join("local-" + std::to_string(i));
    }
    for (const auto& line : world.relay().audit().lines()) text += line + "\n";
    write_file(file, text);
  }
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  TempDir directory;
  fs::path file = directory / "audit";
  std::string text;
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("commands about keyd: audit verify and audit show read what a running keyd writes", "[keyd-commands]") {
  const Recorded audit;
  REQUIRE(audit.lines().size() > 6);
  const auto whole = ask({"audit", "verify", audit.file});
  CAPTURE(whole.out, whole.err);
  CHECK(whole.status.code == 0);
  CHECK(has(whole.out, "intact"));
  CHECK(has(whole.out, "seq " + std::to_string(audit.lines().size() - 1) + ", SHA-256"));
  CHECK(ask_with_input(audit.file, "audit verify -").status.code == 0);

  const auto shown = ask({"audit", "show", audit.file, "--event", "lookup", "--json"});
  CHECK(shown.status.code == 0);
  std::istringstream in(shown.out);
  size_t lookups = 0;
  for (std::string line; std::getline(in, line); ++lookups) {
    CHECK(has(audit.text, line + "\n"));
    CHECK(Json::parse(line).at("event") == "lookup");
  }
  CHECK(lookups == 3 + 1);  // relayd looks up the listener's key at its start
  const auto table = ask({"audit", "show", audit.file, "--client", "local-1"});
  CHECK(has(table.out, "CLIENT ID"));
  CHECK(has(table.out, "local-1"));
  CHECK_FALSE(has(table.out, "local-2"));
  CHECK_FALSE(has(table.out, "\033"));
}

TEST_CASE("commands about keyd: audit verify exits with 1 for a broken audit, and with 66 for an unreadable one",
          "[keyd-commands]") {
  const Recorded audit;
  auto lines = audit.lines();
  lines.erase(lines.begin() + 3);
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  write_file(audit.directory / "cut", text);
  const auto broken = ask({"audit", "verify", audit.directory / "cut", "--json"});
  CHECK(broken.status.code == 1);
  const auto verdict = Json::parse(broken.out);
  CHECK(verdict.at("broken").at("kind") == "removed");
  CHECK(verdict.at("broken").at("line") == 4);
  CHECK(has(ask({"audit", "verify", audit.directory / "cut"}).out, "BROKEN"));
  for (const auto& command : {"verify", "show"}) {
    const auto missing = ask({"audit", command, audit.directory / "none"});
    CHECK(missing.status.code == 66);
    CHECK(has(missing.err, "none: can't be opened: No such file"));
    CHECK(ask({"audit", command, audit.directory.path()}).status.code == 66);
  }
}

TEST_CASE("commands about keyd: without an argument they read the audit file from the configuration",
          "[keyd-commands]") {
  const Recorded audit;
  World world(at_rest());
  const auto configuration = world.relay().keyd_configuration().string();
  for (const auto& command : {"verify", "show"}) {
    const auto finished = ask({"audit", command, "--config", configuration});
    CHECK(finished.status.code == 78);
    CHECK(has(finished.err, "audit_file is not set"));
    CHECK(ask({"audit", command, "--config", "/nonexistent/keyd.json"}).status.code == 78);
  }
  world.relay().patch_keyd({{"audit_file", audit.file.string()}});
  CHECK(ask({"audit", "verify", "--config", configuration}).status.code == 0);
  CHECK(ask({"--config", configuration, "audit", "verify"}).status.code == 0);
  CHECK(has(ask({"audit", "show", "--config", configuration}).out, "local-1"));
}

TEST_CASE("commands about keyd: a write error on standard output is reported", "[keyd-commands]") {
  const Recorded audit;
  auto command = mqtt_relay({"audit", "show", audit.file});
  command.stdout_file = "/dev/full";
  const auto full = run(command);
  CHECK(full.status.code == 1);
  CHECK(has(full.err, "can't be written"));
}

TEST_CASE("commands about keyd: check exits with 0, 1 or 2, and keys lists the keys that exist", "[keyd-commands]") {
  World world(at_rest());
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  const auto configuration = world.relay().keyd_configuration().string();
  const auto check = [&](std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"check", "keyd", "--config", configuration});
    return ask(more);
  };
  // In the tests relayd's user has no name, which causes a warning.
  const auto good = check({"--json"});
  CAPTURE(good.out, good.err);
  CHECK(good.status.code == 0);
  CHECK(Json::parse(good.out).at("errors") == 0);

  world.relay().give_file("notes.txt", "hello");
  CHECK(check().status.code == 0);
  const auto strict = check({"--warnings-as-errors"});
  CHECK(strict.status.code == 2);
  CHECK(has(strict.out, "notes.txt"));

  world.relay().give_file("broken.pem", "no key");
  const auto bad = check({"--warnings-as-errors"});
  CHECK(bad.status.code == 1);
  CHECK(has(bad.out, "broken.pem: it is not PEM"));
  CHECK(check({"--config", "/nonexistent/keyd.json"}).status.code != 0);

  const auto keys = ask({"keys", "--config", configuration, "--json"});
  CHECK(keys.status.code == 0);
  std::istringstream in(keys.out);
  std::vector<Json> rows;
  for (std::string line; std::getline(in, line);) rows.push_back(Json::parse(line));
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].at("client_id") == "broken");
  CHECK(rows[1].at("client_id") == "thermo");
  CHECK(rows[1].at("type") == "P-256");
  CHECK(has(keys.err, "2 keys, 1 of them not usable; 1 other file"));
  // The command reads the same environment variables as the daemon.
  TempDir empty;
  CHECK(ask({"keys", "--config", configuration}, {"MQTT_RELAY_PRIVATE_KEYS_DIR=" + empty.path().string()})
            .err.starts_with("0 keys"));
  CHECK(ask({"keys", "--config", configuration}, {"MQTT_RELAY_PRIVATE_KEYS_DIR=/nonexistent"}).status.code == 78);
}

TEST_CASE("commands about keyd: check and the daemon judge a key file alike", "[keyd-commands]") {
  World world({.remote = RemoteKind::none});
  const auto identity = device_identity("p256", 1);
  world.relay().give_file("thermo.pem", read_file(identity.key), 0644);
  CHECK(world.refusal(identity, "thermo", mqtt::v311) == 3);
  const auto said = world.relay().keyd().err().wait_json([](const Json& j) { return j.contains("problem"); },
                                                         "keyd's word on the key");
  const auto check = ask({"check", "keyd", "--config", world.relay().keyd_configuration(), "--json"});
  CAPTURE(check.out, check.err);
  CHECK(check.status.code == 1);
  auto problem = said.at("problem").get<std::string>();
  problem.erase(problem.find(" opens it to others"));  // the rest contains the user's number
  bool found = false;
  const auto report = Json::parse(check.out);
  for (const auto& item : report.at("checks")) {
    if (item.at("name") == "key-files") found = has(item.at("details").at(0).get<std::string>(), problem);
    if (item.at("name") == "socket") CHECK(has(item.at("found").get<std::string>(), "a keyd answers there now"));
  }
  CHECK(found);
}

TEST_CASE("commands about keyd: they never print a byte of a key", "[keyd-commands]") {
  World world;
  std::vector<Needle> needles = printed_secrets_of(world.directory / "listener.key");
  for (const std::string type : {"rsa2048", "p256", "ed25519"}) {
    const auto identity = device_identity(type, 1), spoiled = device_identity(type, 2);
    world.give_key("thermo-" + type, identity);
    world.device(identity).join("thermo-" + type);
    // What can't be used is described, not shown.
    const auto text = read_file(spoiled.key);
    const auto line = text.find('\n');  // its end: before it are the five dashes of BEGIN
    const std::string one_line = std::regex_replace(text, std::regex("\n"), " ");
    world.relay().give_file("open-" + type + ".pem", text, 0644);
    for (const auto& [name, content] :
         {std::pair{"cut-", text.substr(0, text.size() / 2)},
          {"bare-", text.substr(line + 1)},
          {"bad-", text.substr(0, line + 20) + "!" + text.substr(line + 21)},
          {"no-dashes-", text.substr(0, line - 5) + text.substr(line)},
          {"joined-", text.substr(0, line - 5) + " " + text.substr(line + 1)},
          {"one-line-", one_line},
          {"label-", text.substr(0, line - 5) + " " + text.substr(line + 1, 50) + "-----\n" + text.substr(line + 1)}})
      world.relay().give_file(name + type + ".pem", content);
    CHECK(world.refusal(spoiled, "label-" + type, mqtt::v311) == 3);
    for (const auto& one : {identity, spoiled})
      for (auto& needle : printed_secrets_of(one.key)) needles.push_back({type + " " + needle.name, needle.bytes});
  }
  const auto shown_in = [&](const std::string& text) {
    std::set<std::string> names;
    for (const auto& needle : needles)
      if (has(text, needle.bytes)) names.insert(needle.name);
    return names;
  };
  const fs::path audit = world.directory / "audit";
  std::string lines;
  for (const auto& line : world.relay().audit().lines()) lines += line + "\n";
  write_file(audit, lines);
  CHECK(has(lines, "\"event\":\"sign\""));

  const std::string configuration = world.relay().keyd_configuration();
  const fs::path key = device_identity("p256", 1).key;
  std::vector<std::vector<std::string>> commands{{"keys", "--config", configuration},
                                                 {"keys", "thermo-p256", "--wide", "--config", configuration},
                                                 {"keys", "bad-p256", "--config", configuration},
                                                 {"check", "--keyd-config", configuration},
                                                 {"check", "keyd", "--config", configuration}};
  // Also with a key in the audit's place.
  for (const auto& file : {audit, key, world.relay().keys() / "bare-rsa2048.pem"})
    for (const std::string word : {"verify", "show"}) commands.push_back({"audit", word, file});
  for (auto command : commands)
    for (const bool json : {false, true}) {
      if (json) command.push_back("--json");
      std::string words;
      for (const auto& word : command) words += word + " ";
      const auto finished = ask(command);
      CAPTURE(words, finished.out, finished.err);
      CHECK(finished.status.code != 64);
      CHECK_FALSE((finished.out + finished.err).empty());
      CHECK(shown_in(finished.out + finished.err) == std::set<std::string>());
    }
  // Nor do the daemons.
  CHECK(shown_in(world.relay().keyd().err().text() + lines + world.relay().log().text()) == std::set<std::string>());
  CHECK(has(world.relay().keyd().err().text(), "a block with an unusual label"));
  // Positive control: the search sees a key in its file, and in what OpenSSL says about it.
  CHECK(shown_in(read_file(key)).size() >= 3);
  for (const std::string words : {"pkey -text -noout", "asn1parse"}) {
    const auto said = run({.argv = {"sh", "-c", "openssl " + words + " -in \"$0\"", key}});
    CAPTURE(words, said.out);
    CHECK(shown_in(said.out).contains("p256 priv, hexadecimal"));
  }
}
