// The layers of a configuration: file, drop-ins, environment. A later one wins, and an error names the one at fault.
#include "common/config_layers.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "catch.h"
#include "common/config.h"
#include "scratch_dir.h"

using common::Section;
using unit::ScratchDir;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kPrefix = "TEST_LAYERS_";

// Sets variables for the life of the object.
class Environment {
 public:
  using Variables = std::vector<std::pair<std::string, std::string>>;
  explicit Environment(Variables variables) : variables_(std::move(variables)) {
    for (const auto& [name, text] : variables_) setenv(name.c_str(), text.c_str(), 1);
  }
  ~Environment() {
    for (const auto& [name, text] : variables_) unsetenv(name.c_str());
  }

 private:
  Variables variables_;
};

struct Place {
  ScratchDir scratch;
  std::string file =
      scratch.put("x.json", R"({ "workers": 2, "text": "file", "listener": { "bind": "a", "list": ["x"] } })");
  std::string drop_in(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(file + ".d");
    return scratch.put("x.json.d/" + name, text);
  }
  Section load() const { return Section::load(file, kPrefix); }
};

std::string error_of(const std::function<void()>& read) {
  try {
    read();
  } catch (const common::ConfigError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("drop-ins win over the file and over each other, in the order of their names", "[common][config]") {
  Place place;
  place.drop_in("20-b.json", R"({ "listener": { "bind": "c" }, "text": "20" })");
  place.drop_in("10-a.json", R"({ "listener": { "bind": "b", "size": "1KB", "list": [] }, "workers": 3 })");
  place.drop_in("30-c.txt", "not read");
  place.drop_in(".40.json", "not read");
  Section root = place.load();
  CHECK(root.integer("workers", 0, 0, 9) == 3);
  CHECK(root.string("text") == "20");
  auto listener = root.section("listener");
  CHECK(listener->string("bind") == "c");
  CHECK(listener->size("size", "2KB") == 1024);
  CHECK(listener->strings("list", {"y"}).empty());  // replaced, not merged
  CHECK(root.sources().drop_ins == std::vector<std::string>{place.file + ".d/10-a.json", place.file + ".d/20-b.json"});
}

TEST_CASE("an error in a drop-in names its file and line", "[common][config]") {
  Place place;
  const std::string drop_in = place.drop_in("a.json", "{\n  \"workers\": 99,\n  \"listener\": { \"bnid\": 1 } }");
  CHECK(error_of([&] { place.load().integer("workers", 0, 0, 9); }) ==
        drop_in + ": line 2: workers: found 99 (number); expected an integer from 0 to 9");
  CHECK(error_of([&] {
          Section root = place.load();
          auto listener = root.section("listener");
          listener->string("bind"), listener->strings("list", {});
          listener->finish();
        }) == drop_in + ": line 3: listener.bnid: unknown key; did you mean \"bind\"? known here: bind, list");
  CHECK(error_of([&] { place.load().string("text"), place.load().section("text"); }) ==
        place.file + ": line 1: text: found \"file\" (string); expected an object { … }");
  place.drop_in("a.json", "{ \"workers\": 1, }");
  CHECK(error_of([&] { place.load(); }) ==
        drop_in + ": line 1, column 15: found a comma before the closing }; remove the comma");
}

TEST_CASE("drop-ins that can't be listed, or are too many, are an error", "[common][config]") {
  Place place;
  place.scratch.put("x.json.d", "a file");
  CHECK(error_of([&] { place.load(); }) ==
        place.file +
            ".d: the drop-ins can't be listed: Not a directory; it must be a directory that this user can read");
  std::filesystem::remove(place.file + ".d");
  for (int i = 0; i < 101; i++) place.drop_in(std::to_string(i) + ".json", "{}");
  CHECK(error_of([&] { place.load(); }) == place.file + ".d: found 101 drop-ins; expected at most 100");
}

TEST_CASE("a variable wins over file and drop-ins, and is read by its setting's type", "[common][config]") {
  Place place;
  place.drop_in("a.json", R"({ "workers": 3, "listener": { "bind": "b" } })");
  const Environment variables({{"TEST_LAYERS_WORKERS", "5"},
                               {"TEST_LAYERS_TEXT", "123"},
                               {"TEST_LAYERS_LISTENER__BIND", "127.0.0.1:1"},
                               {"TEST_LAYERS_LISTENER__LIST", R"(["p", "q"])"},
                               {"TEST_LAYERS_ONE_OR_MORE", "{clientid}"},
                               {"TEST_LAYERS_MORE", R"(["m"])"},
                               {"TEST_LAYERS_NEW__FLAG", "true"},
                               {"TEST_LAYERS_NEW__WAIT", "5m"},
                               {"TEST_LAYERS_WHOLE", R"({ "flag": false, "port": "7" })"},
                               {"TEST_LAYERS_ITEMS", R"(["a", { "host": "b" }])"},
                               {"TEST_LAYERS_MOST", "infinity"},
                               {"TEST_LAYERS_EMPTY", ""}});
  Section root = place.load();
  CHECK(root.integer("workers", 0, 0, 9) == 5);
  CHECK(root.string("text") == "123");  // a string stays one, whatever it looks like
  auto listener = root.section("listener");
  CHECK(listener->string("bind") == "127.0.0.1:1");
  CHECK(listener->strings("list", {}) == std::vector<std::string>{"p", "q"});
  CHECK(root.string_or_strings("one_or_more") == std::vector<std::string>{"{clientid}"});
  CHECK(root.string_or_strings("more") == std::vector<std::string>{"m"});
  auto fresh = root.section("new");
  CHECK(fresh->boolean("flag", false));
  CHECK(fresh->duration("wait", "1s") == 5min);
  auto whole = root.section("whole");
  CHECK_FALSE(whole->boolean("flag", true));
  CHECK_THROWS_AS(whole->integer("port", 0, 0, 9), common::ConfigError);  // inside JSON, a string is a string
  CHECK(root.strings_or_sections("items").size() == 2);
  CHECK_FALSE(root.count_or_infinity("most", 10));
  CHECK_FALSE(root.has("empty"));
  CHECK(root.sources().variables.size() == 11);
  root.finish();
}

TEST_CASE("an error in a variable names it and what it should be", "[common][config]") {
  const Place place;
  const auto error_with = [&](const std::string& name, const std::string& text,
                              const std::function<void(Section&)>& read) {
    const Environment variables(Environment::Variables{{name, text}});
    return error_of([&] {
      Section root = place.load();
      read(root);
    });
  };
  CHECK(error_with("TEST_LAYERS_WORKERS", "many", [](Section& root) { root.integer("workers", 0, 0, 9); }) ==
        "TEST_LAYERS_WORKERS: workers: found \"many\" (string); expected an integer from 0 to 9");
  CHECK(error_with("TEST_LAYERS_WORKERS", "true", [](Section& root) { root.integer("workers", 0, 0, 9); }) ==
        "TEST_LAYERS_WORKERS: workers: found true (boolean); expected an integer from 0 to 9");
  const auto all = [](Section& root) {
    root.integer("workers", 0, 0, 9), root.string("text");
    auto listener = root.section("listener");
    listener->string("bind"), listener->strings("list", {});
    listener->finish();
    root.finish();
  };
  CHECK(error_with("TEST_LAYERS_LISTENER__BNID", "x", all) ==
        "TEST_LAYERS_LISTENER__BNID: listener.bnid: unknown key; did you mean \"TEST_LAYERS_LISTENER__BIND\"? known "
        "here: "
        "bind, list");
  CHECK(error_with("TEST_LAYERS_LISTENERR__BIND", "x", all) ==
        "TEST_LAYERS_LISTENERR__BIND: listenerr: unknown key; did you mean \"TEST_LAYERS_LISTENER__BIND\"? known here: "
        "listener, "
        "text, workers");
  CHECK(error_with("TEST_LAYERS_listener__BIND", "x", all) ==
        "TEST_LAYERS_listener__BIND: found small letters in a variable's name; write it in capitals");
  CHECK(error_with("TEST_LAYERS_LISTENER__", "x", all) ==
        "TEST_LAYERS_LISTENER__: it names no setting; expected TEST_LAYERS_ and a setting, with __ between the keys of "
        "its "
        "path");
  const Environment both(Environment::Variables{{"TEST_LAYERS_LISTENER", "{}"}});
  CHECK(error_with("TEST_LAYERS_LISTENER__BIND", "x", all) ==
        "TEST_LAYERS_LISTENER__BIND: TEST_LAYERS_LISTENER is set as well; unset one of the two");
}
