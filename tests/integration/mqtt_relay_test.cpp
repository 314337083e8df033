// mqtt-relay, the operator's one command: its command line, its help, and `check` for both daemons together.
#include <unistd.h>

#include <sstream>

#include "common/commands.h"
#include "test_paths.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

Finished ask(std::vector<std::string> words) { return run(mqtt_relay(std::move(words))); }

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream in{std::string(text)};
  return {std::istream_iterator<std::string>(in), {}};
}

// Whether the text fits in a terminal of 80 characters and so many lines.
bool fits_a_screen(const std::string& text, size_t most = 24) {
  std::istringstream in(text);
  size_t lines = 0;
  for (std::string line; std::getline(in, line); lines++) {
    size_t width = 0;
    for (const char c : line) width += (static_cast<unsigned char>(c) & 0xc0) != 0x80;  // counts UTF-8 characters
    if (width > 80) return false;
  }
  return lines > 0 && lines <= most;
}

// With one space for each line break and indentation.
std::string unwrapped(const std::string& text) {
  std::string line;
  for (const std::string& word : words_of(text)) line += (line.empty() ? "" : " ") + word;
  return line;
}

// The configurations of both daemons, without processes.
struct Gateway {
  // The tests have no user mqtt-relay, so a check by root asks keyd as root.
  Gateway() {
    if (geteuid() == 0) world.relay().patch_keyd({{"allowed_users", {std::to_string(relay_user), "0"}}});
  }
  Finished check(std::vector<std::string> more) {
    more.insert(more.begin(), {"check", "--keyd-config", world.relay().keyd_configuration(), "--relayd-config",
                               world.relay().relayd_configuration()});
    last = run(world.relay().operator_command(more));
    return last;
  }
  World world{{.local = false, .start = false}};
  Finished last;
};

}  // namespace

TEST_CASE("a wrong command line exits with 64, says what is wrong on standard error, and does nothing",
          "[mqtt-relay]") {
  const std::vector<std::vector<std::string>> wrong = {{},
                                                       {"serve"},
                                                       {"chekc"},
                                                       {"--nope"},
                                                       {"audit"},
                                                       {"audit", "veryfy"},
                                                       {"check", "--nope"},
                                                       {"check", "kyed"},
                                                       {"check", "keyd", "--relayd-config", "f"},
                                                       {"check", "relayd", "--keyd-config", "f"},
                                                       {"check", "--config", "f"},
                                                       {"check", "--client", ""},
                                                       {"check", "--connect"},
                                                       {"check", "--certificate", "f"},
                                                       {"check", "relayd", "--client", "dev7"},
                                                       {"keys", "dev7", "dev8"},
                                                       {"drop"},
                                                       {"drop", "d", "--session", "5c0e91d30000a7f2"},
                                                       {"sessions", "--limit", "0"},
                                                       {"session"},
                                                       {"reload", "now"},
                                                       {"verify", "chain.pem"},
                                                       {"audit", "verify", "-", "file"},
                                                       {"audit", "show", "--since", "yesterday"},
                                                       {"audit", "show", "--limit", "0"},
                                                       {"audit", "show", "--worker", "one"}};
  for (const auto& words : wrong) {
    std::string joined;
    for (const auto& word : words) joined += word + " ";
    CAPTURE(joined);
    const auto finished = ask(words);
    CHECK(finished.status.code == 64);
    CHECK(finished.out.empty());
    CHECK(finished.err.starts_with("mqtt-relay"));
  }
  auto command = mqtt_relay({"status"});
  command.environment = {"MQTT_RELAY_REMOTE_PORT=99999"};
  const auto finished = run(command);
  CHECK(finished.status.code == 64);
  CHECK(has(finished.err, "MQTT_RELAY_REMOTE_PORT: found \"99999\"; allowed: 1 to 65535"));
}

TEST_CASE("a script's empty variable is an error, and takes no other word for its value", "[mqtt-relay]") {
  const auto wrong = [](std::vector<std::string> words, const std::string& found) {
    const auto asked = ask(std::move(words));
    CAPTURE(asked.out, asked.err);
    CHECK(asked.status.code == 64);
    CHECK(has(asked.err, found));
  };
  wrong({"check", "--client=", "--connect"}, "found \"--client=\", which has no value after the =");
  wrong({"sessions", "--client=", "--json"}, "found \"--client=\"");
  wrong({"keys", "import", "--as=", "thermo.pem"}, "found \"--as=\"");
  wrong({"check", "--client", "thermo", "--certificate", ""}, "found \"\"; allowed: a file's name");
}

TEST_CASE("for an unknown command, mqtt-relay and its help suggest the nearest one", "[mqtt-relay]") {
  CHECK(has(ask({"chekc"}).err, "found \"chekc\", which is not a command; did you mean check?"));
  CHECK(has(ask({"help", "relaod"}).err, "did you mean reload?"));
  CHECK(has(ask({"stats", "--help"}).err, "did you mean status?"));
  CHECK(has(ask({"audit", "veryfy"}).err, "did you mean verify?"));
  CHECK_FALSE(has(ask({"frobnicate"}).err, "did you mean"));
}

TEST_CASE("every --help fits a screen and says what each exit status means", "[mqtt-relay]") {
  const auto all = ask({"--help"});
  CHECK(all.status.code == 0);
  INFO(all.out);
  CHECK(fits_a_screen(all.out, 50));  // a laptop's
  for (const auto& command : common::kCommands) {
    const std::string name(command.name);
    CHECK(has(all.out, name + " "));
    CHECK(has(unwrapped(all.out), std::string(command.what)));
    auto words = words_of(name), with_help = words;
    words.insert(words.begin(), "help");
    with_help.push_back("--help");
    const auto help = ask(with_help);
    INFO(help.out);
    CHECK(help.status.code == 0);
    CHECK(help.err.empty());
    CHECK(fits_a_screen(help.out));
    for (const auto& part : {"Usage: mqtt-relay " + name + " ", std::string("Example"), std::string("Exit status: 0")})
      CHECK(has(help.out, part));
    CHECK(ask(words).out == help.out);
  }
  CHECK(ask({"help"}).out == all.out);
  CHECK(fits_a_screen(ask({"audit", "--help"}).out));
}

TEST_CASE("a daemon takes no commands, and says which program does", "[mqtt-relay]") {
  const auto daemon = GENERATE(std::string("keyd"), std::string("relayd"));
  const auto start = [&](const std::vector<std::string>& words) {
    ProcessOptions command{.argv = {fs::path(MQTT_RELAY_PROGRAMS) / daemon}};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    return run(command);
  };
  const std::string name = "mqtt-" + daemon;
  for (const auto& command : common::kCommands) {
    const auto finished = start(words_of(command.name));
    CHECK(finished.status.code == 64);
    CHECK(finished.out.empty());
    const std::string word = words_of(command.name).front();
    CHECK(finished.err ==
          name + ": found \"" + word + "\", but " + name + " has no commands; run mqtt-relay " + word + "\n");
  }
  CHECK(has(start({"--config", "f", "serve"}).err, "run mqtt-relay --help"));
  const auto help = start({"--help"});
  INFO(help.out);
  CHECK(help.status.code == 0);
  CHECK(fits_a_screen(help.out));
  CHECK(has(help.out, "Exit status: 0"));

  CHECK(has(start({"--cofnig", "f"}).err, "found \"--cofnig\"; allowed: --config, "));
  CHECK(has(start({"--config"}).err, "--config needs a value: --config FILE"));
  CHECK(has(start({"--config", "f", "--log-level", "loud"}).err,
            "--log-level: found \"loud\"; allowed: debug, info, warning, error"));
  CHECK(start({"--help=now"}).status.code == 64);
  if (daemon == "keyd") CHECK(has(start({}).err, "--config FILE is missing"));
}

TEST_CASE("check without an argument checks both daemons, and compares the listener's key and certificate",
          "[mqtt-relay]") {
  Gateway gateway;
  gateway.world.relay().start_keyd();
  const auto finished = gateway.check({"--json"});
  INFO(finished.out << finished.err);
  CHECK(finished.status.code == 0);
  const Json report = Json::parse(finished.out);
  CHECK(report.at("errors") == 0);
  for (const auto& daemon : {"keyd", "relayd"})
    CHECK(check_named(finished, "configuration", daemon).at("result") == "ok");
  const Json pair = check_named(finished, "listener-certificate", "keyd");
  CHECK(pair.at("result") == "ok");
  CHECK(has(pair.at("found"), "listener.pem is the listener key's"));

  // With another certificate in relayd's configuration, keyd's listener key no longer matches it.
  auto& relay = gateway.world.relay();
  fs::copy_file(device_identity("p256", 1).certificate, gateway.world.directory / "relay/certificates/other.pem");
  relay.patch_relayd({{"listener", {{"certfile", gateway.world.directory / "relay/certificates/other.pem"}}}});
  CHECK(check_named(gateway.check({"--json"}), "listener-certificate", "keyd").at("result") == "error");
}

TEST_CASE("the report of check has a heading for each daemon and one summary line for both", "[mqtt-relay]") {
  Gateway gateway;
  gateway.world.relay().start_keyd();
  const std::string text = gateway.check({}).out;
  INFO(text << gateway.last.err);
  const size_t keyd = text.find("keyd, " + gateway.world.relay().keyd_configuration().string() + "\n"),
               relayd = text.find("\nrelayd, " + gateway.world.relay().relayd_configuration().string() + "\n"),
               sum = text.find("0 errors, ");
  CHECK(keyd == 0);
  REQUIRE(relayd != std::string::npos);
  CHECK(relayd < sum);
  CHECK(text.find("0 errors, ", sum + 1) == std::string::npos);
  for (const auto& [word, other] : {std::pair("keyd", "relayd, /"), std::pair("relayd", "keyd, /")}) {
    const auto config = word == std::string("keyd") ? gateway.world.relay().keyd_configuration()
                                                    : gateway.world.relay().relayd_configuration();
    const auto one = run(gateway.world.relay().operator_command({"check", word, "--config", config}));
    CHECK(one.out.starts_with(std::string(word) + ", " + config.string() + "\n"));
    CHECK_FALSE(has(one.out, std::string("\n") + other));
  }
}

TEST_CASE("check has one exit status for both daemons", "[mqtt-relay]") {
  Gateway gateway;
  auto& relay = gateway.world.relay();
  relay.start_keyd();
  REQUIRE(gateway.check({}).status.code == 0);
  SECTION("an error of keyd alone gives 1") {
    relay.give_file("broken.pem", "no key");
    CHECK(gateway.check({}).status.code == 1);
    CHECK(has(gateway.last.out, "broken.pem: it is not PEM"));
  }
  SECTION("an error of relayd alone gives 1") {
    relay.patch_relayd({{"listener", {{"cacertfile", "/nonexistent.pem"}}}});
    CHECK(gateway.check({}).status.code == 1);
    CHECK(has(gateway.last.out, "1 error, "));
  }
  SECTION("an unreadable configuration of one daemon does not keep check from the other") {
    relay.patch_relayd({{"no_such_setting", 1}});
    CHECK(gateway.check({"--json"}).status.code == 1);
    CHECK(check_named(gateway.last, "listener-key", "keyd").at("result") == "ok");
    relay.patch_relayd({{"no_such_setting", nullptr}});
    relay.patch_keyd({{"no_such_setting", 1}});
    CHECK(gateway.check({"--json"}).status.code == 1);
    CHECK(check_named(gateway.last, "remote-authorities", "relayd").at("result") == "ok");
  }
  SECTION("a warning of keyd gives 2 with --warnings-as-errors") {
    relay.give_file("notes.txt", "hello");
    CHECK(gateway.check({}).status.code == 0);
    CHECK(gateway.check({"--warnings-as-errors"}).status.code == 2);
  }
}

TEST_CASE("if the part of check for one daemon is missing, check reports the remedy and checks the other daemon",
          "[mqtt-relay]") {
  Gateway gateway;
  gateway.world.relay().start_keyd();
  fs::remove(gateway.world.directory / "libexec/mqtt-relay-keys");
  CHECK(gateway.check({"--json"}).status.code == 1);
  const Json program = check_named(gateway.last, "program", "keyd");
  CHECK(has(program.at("found"), "can't execute mqtt-relay-keys"));
  CHECK(has(program.at("fix"), "reinstall mqtt-relay"));
  CHECK(check_named(gateway.last, "configuration", "relayd").at("result") == "ok");
  const auto keys = run(gateway.world.relay().operator_command({"keys"}));
  CHECK(keys.status.code == 1);
  CHECK(has(keys.err, "mqtt-relay keys: can't execute mqtt-relay-keys"));
}
