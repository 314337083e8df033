// `mqtt-relay keys import`: what gets into keyd's directory, what does not, and what is said of it.
#include "keyd/admin/import.h"

#include <sys/file.h>
#include <sys/syscall.h>

#include <map>

#include "common/json_line.h"
#include "keyd/admin/change_report.h"
#include "keyd_support.h"

using namespace keyd;
using namespace keyd::admin;
using namespace keyd_test;
using Result = Imported::Result;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string key_text(const witness::Key& key) { return key.text(witness::Form::pkcs8); }

std::string hex_of(const witness::Key& key) {
  const ipc::Spki spki = key.spki();
  return common::hex(spki.data(), spki.size());
}

// A directory of keys, and one to import from.
struct Stage {
  Stage() : room(settings()), directory({keys.path(), "test"}, geteuid()) {}
  static Settings settings() { return {}; }

  ImportSummary import(ImportOptions options = {}) {
    if (options.sources.empty()) options.sources = {source.path()};
    files.clear();
    std::ostringstream out;
    ImportReport report(options, out, screen);
    const auto summary =
        import_keys(options, directory, room, {{{listener, "keyd.json: listener_keyfile"}, ipc::Role::listener}},
                    [&](const Imported& file) {
                      files[file.from.name] = file;
                      report.add(file);
                    });
    report.finish();
    text = out.str() + in_words(summary, options);
    return summary;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(keys.path()))
      all.push_back(entry.path().filename().string());
    std::sort(all.begin(), all.end());
    return all;
  }

  ScratchDir keys, source;
  KeyRoom room;
  KeysDirectory directory;
  std::string listener = "/nonexistent";
  Screen screen = {};
  std::map<std::string, Imported> files;  // by name in the source
  std::string text;                       // what was printed
};

const witness::Key& key_a() {
  static const auto key = witness::Key::generate("P-256");
  return key;
}
const witness::Key& key_b() {
  static const auto key = witness::Key::generate("P-256");
  return key;
}

}  // namespace

TEST_CASE("keys import puts every key of a directory in its place, whole and closed to others, and leaves nothing else",
          "[keyd][keyd-import]") {
  Stage stage;
  stage.source.put("a.pem", key_text(key_a()), 0644);
  stage.source.put("b.pem", key_text(key_b()), 0600);
  stage.source.put("README", "not a key's name");
  std::filesystem::create_directory(stage.source / "below");
  const auto summary = stage.import();
  CHECK(summary.imported == 2);
  CHECK(summary.refused == 0);
  CHECK(summary.unpaired == 2);
  CHECK(summary.others == 2);
  CHECK(stage.names() == std::vector<std::string>{"a.pem", "b.pem"});
  CHECK(slurp(stage.keys / "a.pem") == key_text(key_a()));
  CHECK(stage.files["a.pem"].key->spki == key_a().spki());
  for (const char* name : {"a.pem", "b.pem"}) {
    struct stat info {};
    REQUIRE(stat((stage.keys / name).c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
    CHECK(info.st_uid == geteuid());
    // As keyd itself judges it.
    CHECK(stage.room.reader.read(stage.directory.descriptor(), name, name).problem == "");
  }
}

TEST_CASE("keys import gives its files to keyd's user", "[keyd][keyd-import]") {
  if (geteuid() != 0) return;  // only root can
  Stage stage;
  constexpr uid_t kService = 64101;
  KeysDirectory of_service({stage.keys.path(), "test"}, kService);
  stage.source.put("a.pem", key_text(key_a()));
  ImportOptions options{.sources = {stage.source.path()}};
  import_keys(options, of_service, stage.room, {}, [](const Imported&) {});
  struct stat info {};
  REQUIRE(stat((stage.keys / "a.pem").c_str(), &info) == 0);
  CHECK(info.st_uid == kService);
}

TEST_CASE("keys import refuses a key that is not its certificate's, wherever that is, and the old key stays",
          "[keyd][keyd-import]") {
  Stage stage;
  const std::string of_a = witness::certificate(key_a()), old = stage.keys.put("dev.pem", key_text(key_a()));
  ScratchDir certificates;
  ImportOptions options{.replace = true};
  stage.source.put("dev.pem", key_text(key_b()));
  SECTION("beside it") { stage.source.put("dev.crt", of_a); }
  SECTION("behind it in the same file") { stage.source.put("dev.pem", key_text(key_b()) + of_a); }
  SECTION("before it in the same file") { stage.source.put("dev.pem", of_a + key_text(key_b())); }
  SECTION("in --certificates, as .crt") {
    certificates.put("dev.crt", of_a);
    options.certificates = certificates.path();
  }
  SECTION("in --certificates, as .pem") {
    certificates.put("dev.pem", of_a);
    options.certificates = certificates.path();
  }
  const auto summary = stage.import(options);
  CHECK(summary.refused == 1);
  CHECK(slurp(old) == key_text(key_a()));
  const std::string problem = stage.files["dev.pem"].problem;
  CAPTURE(problem);
  CHECK(has(problem, "is for another key, SPKI " + hex_of(key_a()) + "; this key has " + hex_of(key_b())));
  CHECK(has(problem, "import the pair that belongs together"));
}

TEST_CASE("keys import says which keys had a certificate that is theirs", "[keyd][keyd-import]") {
  Stage stage;
  stage.source.put("a.pem", key_text(key_a()));
  stage.source.put("a.crt", witness::certificate(key_a()) + witness::certificate(key_b()));
  stage.source.put("b.pem", key_text(key_b()));
  const auto summary = stage.import();
  CHECK(summary.imported == 2);
  CHECK(summary.others == 0);
  CHECK(summary.unpaired == 1);
  CHECK(stage.files["a.pem"].pair_checked);
  CHECK_FALSE(stage.files["b.pem"].pair_checked);
  CHECK(has(stage.text, "1 without a certificate"));
}

TEST_CASE("keys import refuses a key whose certificate can't be read", "[keyd][keyd-import]") {
  Stage stage;
  stage.source.put("dev.pem", key_text(key_a()));
  SECTION("it is not PEM") { stage.source.put("dev.crt", "nothing"); }
  SECTION("it is cut") { stage.source.put("dev.crt", witness::certificate(key_a()).substr(0, 100)); }
  SECTION("its base64 is no certificate") {
    stage.source.put("dev.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  }
  SECTION("it is a FIFO") { REQUIRE(mkfifo((stage.source / "dev.crt").c_str(), 0600) == 0); }
  CHECK(stage.import().refused == 1);
  CHECK(has(stage.files["dev.pem"].problem, "certificate"));
  CHECK(stage.names().empty());
}

TEST_CASE("keys import replaces another key only with --replace, and says which it was", "[keyd][keyd-import]") {
  Stage stage;
  stage.keys.put("dev.pem", key_text(key_a()));
  stage.source.put("dev.pem", key_text(key_b()));
  CHECK(stage.import().refused == 1);
  CHECK(has(stage.text, "--replace"));
  CHECK(slurp(stage.keys / "dev.pem") == key_text(key_a()));
  CHECK(stage.import({.replace = true}).replaced == 1);
  CHECK(slurp(stage.keys / "dev.pem") == key_text(key_b()));
  CHECK(stage.files["dev.pem"].previous->spki == key_a().spki());
  CHECK(has(stage.text, "mqtt-relay drop"));
  CHECK(stage.import({.replace = true}).unchanged == 1);
}

TEST_CASE("keys import leaves a key that is there already as it is", "[keyd][keyd-import]") {
  Stage stage;
  const auto file = stage.keys.put("dev.pem", key_text(key_a()));
  struct stat before {
  }, after{};
  stat(file.c_str(), &before);
  stage.source.put("dev.pem", key_a().text(witness::Form::traditional));
  CHECK(stage.import().unchanged == 1);
  stat(file.c_str(), &after);
  CHECK(after.st_ino == before.st_ino);
  CHECK(stage.import({.replace = true}).replaced == 1);  // the same key in another form
  CHECK(slurp(file) == key_a().text(witness::Form::traditional));
}

TEST_CASE("keys import mends a key's mode without --replace, because the key stays the same", "[keyd][keyd-import]") {
  Stage stage;
  const auto file = stage.keys.put("dev.pem", key_text(key_a()), 0644);
  stage.source.put("dev.pem", key_text(key_a()));
  CHECK(stage.import().replaced == 1);
  struct stat info {};
  stat(file.c_str(), &info);
  CHECK((info.st_mode & 07777) == 0600);
}

TEST_CASE("keys import with --replace replaces a link or a broken file, and never writes through a link",
          "[keyd][keyd-import]") {
  Stage stage;
  ScratchDir elsewhere;
  const auto target = elsewhere.put("target", "precious");
  std::filesystem::create_symlink(target, stage.keys / "link.pem");
  stage.keys.put("broken.pem", "no key");
  stage.source.put("link.pem", key_text(key_a()));
  stage.source.put("broken.pem", key_text(key_b()));
  CHECK(stage.import().refused == 2);
  CHECK(stage.import({.replace = true}).replaced == 2);
  CHECK(slurp(target) == "precious");
  CHECK_FALSE(std::filesystem::is_symlink(stage.keys / "link.pem"));
}

TEST_CASE("keys import refuses names that are no client id's, and a client id that comes twice",
          "[keyd][keyd-import]") {
  Stage stage;
  ScratchDir second;
  stage.source.put("a\nb.pem", key_text(key_a()));
  stage.source.put(".pem", key_text(key_a()));
  stage.source.put("dev.pem", key_text(key_a()));
  second.put("dev.pem", key_text(key_b()));
  second.put("dev.key", key_text(key_b()));
  const auto summary =
      stage.import({.sources = {stage.source.path(), second.path(), second / "dev.key"}, .replace = true});
  CHECK(summary.refused == 4);
  CHECK(summary.imported == 1);
  CHECK(slurp(stage.keys / "dev.pem") == key_text(key_a()));
  CHECK(has(stage.text, "it has control characters"));
  CHECK(has(stage.text, "the same client id as " + (stage.source / "dev.pem")));
  CHECK(has(stage.text, "dev.key: its name must be CLIENTID.pem"));
  CHECK_FALSE(has(stage.text, "a\nb"));
  CHECK(stage.import({.sources = {second / "dev.key"}, .as = "a/b"}).refused == 1);
}

TEST_CASE("keys import warns of a name that differs from another key's only in case or Unicode form",
          "[keyd][keyd-import]") {
  Stage stage;
  stage.keys.put("Dev7.pem", key_text(key_a()));
  stage.source.put("dEV7.pem", key_text(key_a()));
  stage.source.put("z\u00e4hler.pem", key_text(key_a()));
  stage.source.put("za\u0308hler.pem", key_text(key_b()));
  CHECK(stage.import().imported == 3);
  CHECK(has(stage.files["dEV7.pem"].warning, "\"Dev7\" has a key too"));
  // Of the two, the second one that was imported.
  CHECK(stage.files["z\u00e4hler.pem"].warning.empty() != stage.files["za\u0308hler.pem"].warning.empty());
  CHECK(has(stage.text, "warning"));
}

TEST_CASE("keys import waits for no FIFO, opens no device, and follows no link out of its source",
          "[keyd][keyd-import]") {
  Stage stage;
  ScratchDir outside;
  const auto target = outside.put("target.pem", key_text(key_a()));
  REQUIRE(mkfifo((stage.source / "fifo.pem").c_str(), 0600) == 0);
  std::filesystem::create_symlink("/dev/zero", stage.source / "zero.pem");
  std::filesystem::create_symlink(target, stage.source / "out.pem");
  std::filesystem::create_symlink("../" + std::filesystem::path(outside.path()).filename().string() + "/target.pem",
                                  stage.source / "up.pem");
  std::filesystem::create_directory(stage.source / "folder.pem");
  stage.source.put("large.pem", key_text(key_b()) + std::string(65'536, '\n'));
  // As in a volume of a Kubernetes secret.
  std::filesystem::create_directory(stage.source / "..data");
  std::filesystem::rename(stage.source.put("moving", key_text(key_b())), stage.source / "..data/inside.pem");
  std::filesystem::create_symlink("..data/inside.pem", stage.source / "inside.pem");
  const auto summary = stage.import();
  CAPTURE(stage.text);
  // Where openat2(2) is forbidden, as by RestrictSUIDSGID=, no link is followed at all.
  const bool follows = syscall(SYS_openat2, -1, "", nullptr, 0) >= 0 || errno != ENOSYS;
  CHECK(summary.refused == (follows ? 6 : 7));
  CHECK(stage.names() == (follows ? std::vector<std::string>{"inside.pem"} : std::vector<std::string>{}));
  CHECK(has(stage.files["fifo.pem"].problem, "FIFO"));
  for (const char* name : {"zero.pem", "out.pem", "up.pem"})
    CHECK(has(stage.files[name].problem, "a link that leads out of its directory"));
  CHECK(has(stage.files["large.pem"].problem, "larger than 64 KiB"));
  // A link that the operator names is meant.
  CHECK(stage.import({.sources = {stage.source / "out.pem"}}).imported == 1);
}

TEST_CASE("one bad file does not stop the others of a keys import", "[keyd][keyd-import]") {
  Stage stage;
  stage.source.put("a.pem", key_text(key_a()));
  stage.source.put("b.pem", "no key");
  stage.source.put("c.pem", witness::certificate(key_a()));
  stage.source.put("d.pem", key_text(key_b()));
  const auto summary = stage.import({.sources = {stage.source / "none.pem", stage.source.path()}});
  CHECK(summary.imported == 2);
  CHECK(summary.refused == 3);
  CHECK(stage.names() == std::vector<std::string>{"a.pem", "d.pem"});
  CHECK(has(stage.text, "none.pem: it can't be opened: No such file"));
  CHECK(has(stage.text, "b.pem: it is not PEM"));
}

TEST_CASE("keys import with --all-or-nothing writes nothing if one key is refused, and reports that one",
          "[keyd][keyd-import]") {
  Stage stage;
  stage.source.put("a.pem", key_text(key_a()));
  stage.source.put("z.pem", "no key");
  auto summary = stage.import({.all_or_nothing = true});
  CHECK(summary.given_up);
  CHECK(stage.names().empty());
  CHECK(stage.files.size() == 1);
  CHECK(stage.files.count("z.pem") == 1);
  CHECK(has(stage.text, "nothing was written: 1 of 2 keys refused"));
  stage.source.put("z.pem", key_text(key_b()));
  summary = stage.import({.all_or_nothing = true});
  CHECK(summary.imported == 2);
  CHECK(stage.names().size() == 2);
}

TEST_CASE("keys import with --dry-run says what it would do, and changes nothing", "[keyd][keyd-import]") {
  Stage stage;
  stage.keys.put("b.pem", key_text(key_a()), 0644);
  stage.source.put("a.pem", key_text(key_a()));
  stage.source.put("b.pem", key_text(key_b()));
  const auto summary = stage.import({.replace = true, .dry_run = true});
  CHECK(summary.imported == 1);
  CHECK(summary.replaced == 1);
  CHECK(has(stage.text, "dry run, nothing was written"));
  CHECK(stage.names() == std::vector<std::string>{"b.pem"});
  CHECK(slurp(stage.keys / "b.pem") == key_text(key_a()));
}

TEST_CASE("keys import refuses the listener's key for a device", "[keyd][keyd-import]") {
  Stage stage;
  ScratchDir elsewhere;
  stage.listener = elsewhere.put("listener.key", key_text(key_a()));
  stage.source.put("dev.pem", key_a().text(witness::Form::traditional));
  CHECK(stage.import().refused == 1);
  CHECK(has(stage.text, "relayd's own key"));
}

TEST_CASE("keys import removes what a killed one has left, and refuses to run beside another", "[keyd][keyd-import]") {
  Stage stage;
  stage.keys.put(KeysDirectory::kFresh, "half a key");
  stage.source.put("a.pem", key_text(key_a()));
  {
    const common::Fd other(open(stage.keys.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(flock(other.get(), LOCK_EX) == 0);
    CHECK_THROWS_WITH(stage.import(), Catch::Contains("another mqtt-relay changes its keys now"));
    CHECK(stage.names().size() == 1);
  }
  CHECK(stage.import().imported == 1);
  CHECK(stage.names() == std::vector<std::string>{"a.pem"});
}

TEST_CASE("keys import opens encrypted keys with the configured passphrase, and refuses those that keyd can't open",
          "[keyd][keyd-import]") {
  Stage stage;
  ScratchDir elsewhere;
  stage.source.put("dev.pem", key_a().text(witness::Form::encrypted_pkcs8));
  CHECK(stage.import().refused == 1);
  CHECK(has(stage.text, "encrypted"));
  stage.room.passphrase.emplace(ConfiguredPath{elsewhere.put("passphrase", witness::kPassphrase), "test"});
  CHECK(stage.import().imported == 1);
  CHECK(slurp(stage.keys / "dev.pem") == slurp(stage.source / "dev.pem"));
}

TEST_CASE("keys import prints no line of a private key, and no escape sequence of a file's name",
          "[keyd][keyd-import]") {
  for (const bool as_json : {false, true}) {
    Stage stage;
    stage.screen.terminal = true;
    stage.source.put("good.pem", key_text(key_a()));
    stage.source.put("cut.pem", key_text(key_b()).substr(0, 150));
    stage.source.put(
        "x\xc2\x9b"
        "2J.pem",
        key_text(key_b()) + witness::certificate(key_a()));
    stage.import({.json = as_json});
    CHECK(has(stage.text, "x\\u009b2J"));
    for (const auto& key : {key_a(), key_b()}) {
      std::istringstream lines(key_text(key));
      for (std::string line; std::getline(lines, line);)
        if (!line.starts_with("-----")) CHECK_FALSE(has(stage.text, line));
    }
  }
}

TEST_CASE("the bytes of a key are wiped before the next file is read, and if that can't be read",
          "[keyd][keyd-import]") {
  ScratchDir scratch;
  scratch.put("key", key_text(key_a()));
  scratch.put("short", "x");
  const common::Fd directory(open(scratch.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  KeyBytes bytes;
  REQUIRE(bytes.read(directory.get(), "key").empty());
  REQUIRE(bytes.text() == key_text(key_a()));
  const std::span<const uint8_t> place = bytes.bytes();
  std::string next;
  SECTION("it is shorter") { next = "short"; }
  SECTION("it is not there") { next = "none"; }
  bytes.read(directory.get(), next);
  CHECK(std::all_of(place.begin() + 1, place.end(), [](uint8_t b) { return b == 0; }));
}
