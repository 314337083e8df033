// keyd's half of `mqtt-relay check`: each check passes on a good machine, and fails with the fix on a bad one.
#include "keyd/admin/check.h"

#include <pwd.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <fstream>

#include "common/json_line.h"
#include "keyd/admin/check_words.h"
#include "keyd/startup/socket.h"
#include "keyd_admin_support.h"

using namespace keyd;
using namespace keyd::admin;
using namespace keyd_test;
using nlohmann::json;

namespace {

constexpr uid_t kNobody = 65534, kUnknown = 64999;

// A good machine, which each test then breaks.
struct Machine {
  Machine() {
    std::filesystem::create_directory(scratch / "keys");
    std::filesystem::create_directory(scratch / "run");
    chmod((scratch / "keys").c_str(), 0700);
    chmod((scratch / "run").c_str(), 0755);
    chmod(scratch.path().c_str(), 0755);
    scratch.put("keys/dev.pem", key.text(witness::Form::pkcs8));
    scratch.put("listener.key", listener.text(witness::Form::pkcs8));
    settings["private_keys_dir"] = scratch / "keys";
    settings["listener_keyfile"] = scratch / "listener.key";
    settings["socket"] = scratch / "run/s.sock";
    settings["allowed_users"] = {std::to_string(kNobody)};
  }
  CheckOptions options() const {
    CheckOptions options;
    options.config = scratch.put("keyd.json", settings.dump());
    options.listener_certificate = certificate;
    options.remote_names = relayd_names;
    options.remote_alpn = relayd_alpn;
    options.certificate_files = certificate_files;
    return options;
  }
  std::vector<Check> all() const { return run_checks(options()); }
  Check check(const std::string& name) const {
    for (const Check& found : all())
      if (found.name == name) return found;
    throw std::runtime_error("there is no check named " + name);
  }
  // The facts that the checks read, so that a test can set those that it can't bring about.
  CheckContext context() const { return look_around(load_settings(options().config, {}), options()); }

  ScratchDir scratch;
  witness::Key key = witness::Key::generate("P-256"), listener = witness::Key::generate("P-384");
  json settings;
  std::string certificate;
  std::vector<std::string> relayd_names;
  std::vector<std::string> relayd_alpn;
  bool certificate_files = false;
};

void expect(const Check& check, Result result, const std::string& found, const std::string& fix = "") {
  INFO(name(check.result) << ": " << check.found << " | " << check.fix);
  CHECK(check.result == result);
  CHECK(check.found.find(found) != std::string::npos);
  CHECK(check.fix.find(fix) != std::string::npos);
  if (result == Result::error || result == Result::warning) CHECK_FALSE(check.fix.empty());
}

}  // namespace

TEST_CASE("check of keyd: a good machine has no errors and no warnings", "[keyd][keyd-admin]") {
  Machine machine;
  machine.certificate = machine.scratch.put("listener.pem", witness::certificate(machine.listener));
  const auto checks = machine.all();
  CHECK(checks.size() == 21);
  std::ostringstream out;
  const int status = common::report_checks({{"keyd", "keyd.json", checks}}, {}, out, {});
  INFO(out.str());
  CHECK(status == 0);
  for (const Check& check : checks) {
    INFO(check.name << ": " << check.found);
    // The machine that runs the tests decides these.
    if (check.name != "landlock" && check.name != "seccomp") CHECK(check.result != Result::warning);
    CHECK(check.result != Result::error);
    CHECK_FALSE(check.found.empty());
  }
}

TEST_CASE("check: the configuration", "[keyd][keyd-admin]") {
  Machine machine;
  expect(machine.check("configuration"), Result::ok, "keyd.json");
  machine.settings["key_cash"] = 3;
  expect(machine.check("configuration"), Result::error, "key_cash", "editor");
  for (const Check& check : machine.all())
    if (check.name != "configuration") expect(check, Result::skipped, "needs a configuration");
}

TEST_CASE("check: the directory of keys", "[keyd][keyd-admin]") {
  Machine machine;
  const std::string keys = machine.scratch / "keys";
  expect(machine.check("keys-directory"), Result::ok, "mode 0700");
  chmod(keys.c_str(), 0755);
  expect(machine.check("keys-directory"), Result::warning, "mode 0755", "chmod 700 '" + keys + "'");
  chmod(keys.c_str(), 0777);
  expect(machine.check("keys-directory"), Result::error, "any user can write there", "install -d -o ");
  if (geteuid() == 0) {
    chmod(keys.c_str(), 0700);
    REQUIRE(chown(keys.c_str(), kUnknown, 0) == 0);
    CheckContext context = machine.context();
    context.running = ucred{1, kNobody, kNobody};
    expect(check_keys_directory(context), Result::warning, "can replace every key", "chown nobody '" + keys + "'");
    // A directory of root's may admit keyd through its group.
    REQUIRE(chown(keys.c_str(), 0, kNobody) == 0);
    chmod(keys.c_str(), 0750);
    expect(check_keys_directory(context), Result::ok, "mode 0750");
    chmod(keys.c_str(), 0770);
    expect(check_keys_directory(context), Result::warning, "mode 0770", "chmod g-w,o= '");
  }
  std::filesystem::remove_all(keys);
  expect(machine.check("keys-directory"), Result::error, "No such file", "install -d -o ");
  expect(machine.check("key-files"), Result::skipped, "No such file");
  expect(machine.check("key-names"), Result::skipped, "not read");
}

TEST_CASE("check: the authorities of bind_remote are judged by the notary, in its words", "[keyd][keyd-admin]") {
  Machine machine;
  expect(machine.check("bind-remote"), Result::skipped, "bind_remote is not set");
  const std::string file = machine.scratch / "remote-ca.pem";
  machine.settings["bind_remote"] = {{"remote_host", "broker.example"}, {"cacertfile", file}};
  expect(machine.check("bind-remote"), Result::error,
         "bind_remote.cacertfile: found \"" + file + "\": ", "chmod a+r '" + file + "'");
  machine.scratch.put("remote-ca.pem", "hello\n");
  expect(machine.check("bind-remote"), Result::error, "bind_remote.cacertfile: " + file + ": it is not PEM");
  machine.scratch.put("remote-ca.pem", machine.key.text(witness::Form::pkcs8));
  expect(machine.check("bind-remote"), Result::error, "private key", "the CAs that issue the certificate of broker");
  machine.scratch.put("remote-ca.pem", witness::certificate(machine.listener));
  expect(machine.check("bind-remote"), Result::ok, "devices' keys sign for broker.example only");
  machine.relayd_names = {"Broker.example"};
  expect(machine.check("bind-remote"), Result::ok, "devices' keys sign for broker.example only");
  machine.relayd_names = {"broker.example", "other.example"};
  expect(machine.check("bind-remote"), Result::error, "relayd asks for other.example",
         "set bind_remote.remote_host of ");
  machine.settings["bind_remote"]["remote_host"] = {"broker.example", "other.example"};
  expect(machine.check("bind-remote"), Result::ok, "devices' keys sign for broker.example, other.example only");
  machine.settings["bind_remote"]["remote_host"] = "broker.example";
  machine.relayd_names = {"broker.example"};
  machine.relayd_alpn = {"mqtt"};
  expect(machine.check("bind-remote"), Result::error, "ALPN protocols none, and relayd offers 'mqtt'",
         "set bind_remote.alpn of ");
  machine.settings["bind_remote"]["alpn"] = json::array({"mqtt"});
  expect(machine.check("bind-remote"), Result::ok, "devices' keys sign for broker.example only");
}

TEST_CASE("check: the authorities of bind_device are judged apart from those of bind_remote", "[keyd][keyd-admin]") {
  Machine machine;
  expect(machine.check("bind-device"), Result::skipped, "bind_device is not set");
  machine.certificate_files = true;
  expect(machine.check("bind-device"), Result::warning, "with another key it is refused", "set bind_device of ");
  const std::string file = machine.scratch / "device-ca.pem";
  machine.settings["bind_device"] = {{"cacertfile", file}};
  expect(machine.check("bind-device"), Result::error, "bind_device.cacertfile: found ", "chmod a+r '" + file + "'");
  machine.scratch.put("device-ca.pem", "hello\n");
  expect(machine.check("bind-device"), Result::error, "bind_device.cacertfile: " + file + ": it is not PEM",
         "the CAs that issue the devices' own certificates");
  machine.scratch.put("device-ca.pem", witness::certificate(machine.listener));
  expect(machine.check("bind-device"), Result::ok, "has its client id as common name");
  machine.settings["bind_device"]["client_id_from"] = "san";
  machine.settings["bind_remote"] = {{"remote_host", "broker.example"}, {"cacertfile", machine.scratch / "none.pem"}};
  expect(machine.check("bind-device"), Result::ok, "has its client id as a DNS or URI name");
  expect(machine.check("bind-remote"), Result::error, "bind_remote.cacertfile: found ");
}

TEST_CASE("check: the key files are read by the daemon's own reader", "[keyd][keyd-admin]") {
  Machine machine;
  expect(machine.check("key-files"), Result::ok, "1 usable, 0 not");
  machine.scratch.put("keys/open.pem", machine.key.text(witness::Form::pkcs8), 0644);
  for (int i = 0; i < 30; i++) machine.scratch.put("keys/bad" + std::to_string(i) + ".pem", "no key");
  const Check check = machine.check("key-files");
  expect(check, Result::error, "1 usable, 31 not", "mqtt-relay keys --config");
  CHECK(check.details.size() == 11);
  CHECK(check.details.back() == "… and 21 more");
  CHECK(check.details[0].find(".pem: it") != std::string::npos);
  std::filesystem::remove_all(machine.scratch / "keys");
  std::filesystem::create_directory(machine.scratch / "keys");
  expect(machine.check("key-files"), Result::warning, "no key in", "CLIENTID.pem");
  expect(machine.check("key-algorithms"), Result::skipped, "no usable key");
}

TEST_CASE("check: the algorithms are a table", "[keyd][keyd-admin]") {
  Machine machine;
  machine.scratch.put("keys/rsa.pem", witness::Key::generate("RSA:2048").text(witness::Form::pkcs8));
  machine.scratch.put("keys/dev2.pem", machine.key.text(witness::Form::pkcs8));
  expect(machine.check("key-algorithms"), Result::ok, "2 P-256, 1 RSA 2048");
}

TEST_CASE("check: file names that no client id can have", "[keyd][keyd-admin]") {
  Machine machine;
  expect(machine.check("key-names"), Result::ok, "every file");
  for (const char* name : {"dev.key", "dev.PEM", ".pem", "a\x1b.pem", "README"})
    machine.scratch.put(std::string("keys/") + name, machine.key.text(witness::Form::pkcs8));
  const Check check = machine.check("key-names");
  expect(check, Result::warning, "5 files", "rename each to CLIENTID.pem");
  CHECK(check.details.size() == 5);
  expect(machine.check("key-files"), Result::ok, "1 usable, 0 not");
  CHECK(client_id_of("dev.pem") == "dev");
  CHECK(client_id_of("a.b.pem") == "a.b");
  CHECK(client_id_of(std::string(251, 'x') + ".pem").size() == 251);
  CHECK(client_id_of(std::string(252, 'x') + ".pem").empty());
}

TEST_CASE("check: the listener's key", "[keyd][keyd-admin]") {
  Machine machine;
  const auto spki = machine.listener.spki();
  expect(machine.check("listener-key"), Result::ok, common::hex(spki.data(), spki.size()));
  machine.scratch.put("listener.key", "no key");
  expect(machine.check("listener-key"), Result::error, "keyd does not start", "install -o ");
  std::filesystem::remove(machine.scratch / "listener.key");
  expect(machine.check("listener-key"), Result::error, "no device can connect", "listener.key'`");
  CHECK(machine.check("listener-key").found.find("does not start") == std::string::npos);
  machine.settings["listener_keyfile"] = machine.scratch / "none/listener.key";
  expect(machine.check("listener-key"), Result::error, "does not start");
}

TEST_CASE("check: the listener's certificate and its key", "[keyd][keyd-admin]") {
  Machine machine;
  expect(machine.check("listener-certificate"), Result::skipped, "not compared", "mqtt-relay check");
  machine.certificate = machine.scratch.put("listener.pem", witness::certificate(machine.listener));
  expect(machine.check("listener-certificate"), Result::ok, "is the listener key's");
  machine.certificate =
      machine.scratch.put("chain.pem", witness::certificate(machine.listener) + witness::certificate(machine.key));
  expect(machine.check("listener-certificate"), Result::ok, "is the listener key's");
  machine.certificate = machine.scratch.put("other.pem", witness::certificate(machine.key));
  expect(machine.check("listener-certificate"), Result::error, "it is for another key", "openssl x509 -in");
  machine.certificate = machine.scratch.put("none.pem", "no certificate");
  expect(machine.check("listener-certificate"), Result::error, "no certificate found", "openssl x509");
  machine.certificate = machine.scratch / "missing.pem";
  expect(machine.check("listener-certificate"), Result::skipped, "No such file");
  std::filesystem::remove(machine.scratch / "listener.key");
  expect(machine.check("listener-certificate"), Result::skipped, "no listener key");
}

TEST_CASE("check: the passphrase file", "[keyd][keyd-admin]") {
  Machine machine;
  const std::string file = machine.scratch / "passphrase";
  expect(machine.check("key-passphrase-file"), Result::skipped, "not set");
  machine.settings["key_passphrase_file"] = file;
  // Only the check is tested: a keyd that reads the file may refuse a bad one earlier.
  const auto check = [&] {
    return check_key_passphrase_file([&] {
      CheckContext context;
      context.settings = load_settings(machine.options().config, {});
      context.self = geteuid();
      return context;
    }());
  };
  expect(check(), Result::error, "No such file", "install -o ");
  machine.scratch.put("passphrase", "secret\n", 0600);
  expect(check(), Result::ok, "mode 0600");
  machine.scratch.put("passphrase", "secret\n", 0440);
  expect(check(), Result::ok, "mode 0440");
  expect(machine.check("key-passphrase-file"), Result::ok, "mode 0440");
  machine.scratch.put("passphrase", "\nsecret\n", 0600);
  expect(machine.check("key-passphrase-file"), Result::error, "first line is empty", "first line");
  machine.scratch.put("passphrase", "secret\n", 0644);
  expect(check(), Result::error, "opens it to others", "chmod 600 '" + file + "'");
  machine.scratch.put("passphrase", "", 0600);
  expect(check(), Result::error, "empty");
  if (geteuid() == 0) {
    machine.scratch.put("passphrase", "secret\n", 0600);
    REQUIRE(chown(file.c_str(), kUnknown, 0) == 0);
    CheckContext context = machine.context();
    context.running = ucred{1, kNobody, kNobody};
    expect(check_key_passphrase_file(context), Result::error, "neither root nor keyd's user", "chown nobody '");
  }
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  expect(check(), Result::error, "not a regular file");
}

TEST_CASE("check: the audit file", "[keyd][keyd-admin]") {
  Machine machine;
  expect(machine.check("audit-file"), Result::skipped, "not set");
  machine.settings["audit_file"] = machine.scratch / "audit";
  expect(machine.check("audit-file"), Result::ok, "will be created");
  CHECK_FALSE(std::filesystem::exists(machine.scratch / "audit"));
  machine.scratch.put("audit", "", 0640);
  expect(machine.check("audit-file"), Result::ok, "mode 0640");
  machine.scratch.put("audit", "something else\n", 0640);
  expect(machine.check("audit-file"), Result::error, "not a line of keyd's audit", "mv '");
  machine.scratch.put("audit", "", 0662);
  expect(machine.check("audit-file"), Result::warning, "mode 0662", "chmod go-w '");
  std::filesystem::remove(machine.scratch / "audit");
  std::filesystem::create_directory(machine.scratch / "audit");
  expect(machine.check("audit-file"), Result::error, "not a regular file");
  machine.settings["audit_file"] = machine.scratch / "none/audit";
  expect(machine.check("audit-file"), Result::error, "No such file", "install -d -o ");
}

TEST_CASE("check: an audit on a full file system is an error", "[keyd][keyd-admin]") {
  if (geteuid() != 0) {
    WARN("SKIPPED: needs root to mount a file system");
    return;
  }
  Machine machine;
  const std::filesystem::path folder = machine.scratch / "small";
  std::filesystem::create_directory(folder);
  REQUIRE(mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=64k,mode=700") == 0);
  const std::unique_ptr<const char, decltype([](const char* mounted) { umount2(mounted, MNT_DETACH); })> unmount(
      folder.c_str());
  machine.settings["audit_file"] = (folder / "audit").string();
  std::ofstream(folder / "audit").close();
  expect(machine.check("audit-file"), Result::ok, "mode 0644");
  std::ofstream(folder / "rest") << std::string(128 * 1024, 'x');
  expect(machine.check("audit-file"), Result::error, "its file system is full", "df -h");
}

TEST_CASE("check: the user that runs it", "[keyd][keyd-admin]") {
  Machine machine;
  CheckContext context = machine.context();
  context.self = kNobody;
  expect(check_user(context), Result::ok, "this is nobody");
  context.from_root = true;
  expect(check_user(context), Result::ok, "note: started by root; what follows is what keyd's user, nobody, sees");
  context.running = ucred{1, kUnknown, kUnknown};
  expect(check_user(context), Result::warning, "keyd runs as 64999", "run this command as 64999");
  CHECK(service_user(context) == "64999");  // the user that remedies give files to
  context.self = 0;
  expect(check_user(context), Result::ok, "note: this is root", "setpriv --reuid 64999");
  context.running = ucred{1, 0, 0};
  expect(check_user(context), Result::ok, "keyd runs as root");
}

TEST_CASE("keyd's user is that of the running keyd, or the owner of the keys", "[keyd][keyd-admin]") {
  Machine machine;
  const Settings settings = load_settings(machine.options().config, {});
  CHECK(service_uid(settings, kUnknown) == kUnknown);
  if (!getpwnam("mqtt-keyd") && geteuid() == 0) {
    CHECK(service_uid(settings, {}) == 0);
    REQUIRE(chown((machine.scratch / "keys").c_str(), kUnknown, 0) == 0);
    CHECK(service_uid(settings, {}) == kUnknown);
  }
}

TEST_CASE("check: the users that may ask for signatures", "[keyd][keyd-admin]") {
  Machine machine;
  CheckContext context = machine.context();
  context.self = kUnknown;
  expect(check_allowed_users(context), Result::ok, "nobody");
  context.settings.allowed_uids = {kNobody, 0};
  expect(check_allowed_users(context), Result::warning, "root may ask", "allowed_users");
  context.settings.allowed_uids = {kUnknown};
  expect(check_allowed_users(context), Result::warning, "keyd's own user", "adduser");
  context.settings.allowed_uids = {kNobody, kUnknown + 1};
  expect(check_allowed_users(context), Result::warning, "number 65000", "getent passwd");
  // As root, check finds the user of the running keyd.
  context.self = 0;
  context.running = ucred{1, kNobody, kNobody};
  context.settings.allowed_uids = {kNobody};
  expect(check_allowed_users(context), Result::warning, "keyd's own user");
  machine.settings["allowed_users"] = {"no-such-user"};
  expect(machine.check("configuration"), Result::error, "no such user");
}

TEST_CASE("check: the socket", "[keyd][keyd-admin]") {
  Machine machine;
  const std::string run = machine.scratch / "run", path = run + "/s.sock";
  expect(machine.check("socket"), Result::ok, "no keyd answers there now");
  {
    const ListeningSocket socket({path, "test"});
    umask(0022);
    expect(machine.check("socket"), Result::ok, "a keyd answers there now, pid " + std::to_string(getpid()));
    CHECK(std::filesystem::exists(path));
  }
  chmod(run.c_str(), 0777);
  expect(machine.check("socket"), Result::warning, "another socket", "chmod 755 '");
  chmod(run.c_str(), 0700);
  expect(machine.check("socket"), Result::warning, "may keep the workers out", "chmod 755 '");
  std::filesystem::remove_all(run);
  expect(machine.check("socket"), Result::warning, "RuntimeDirectory", "install -d -o ");
  machine.scratch.put("run", "");
  machine.settings["socket"] = machine.scratch / "run";
  expect(machine.check("socket"), Result::error, "not a socket", "set socket to");
  machine.settings["socket"] = "relative";
  expect(machine.check("socket"), Result::error, "absolute path", "set socket to");
  machine.settings["socket"] = "/" + std::string(200, 'x');
  expect(machine.check("socket"), Result::error, "too long", "set socket to");
}

TEST_CASE("check: the clock", "[keyd][keyd-admin]") {
  Machine machine;
  CheckContext context = machine.context();
  constexpr int64_t kHour = 3600 * int64_t{1'000'000'000};
  expect(check_clock(context), Result::ok, "it is ");
  CHECK(context.keys.newest_file == "dev.pem");
  context.now_ns = context.keys.newest_ns - 23 * kHour;
  expect(check_clock(context), Result::ok, "it is ");
  context.now_ns = context.keys.newest_ns - 25 * kHour;
  expect(check_clock(context), Result::warning, "dev.pem was changed on", "timedatectl");
  context.now_ns = 0;
  expect(check_clock(context), Result::warning, "it is 1970-01-01 00:00 UTC, before", "timedatectl");
}

TEST_CASE("check: locked memory is tested with the amount that serving locks", "[keyd][keyd-admin]") {
  Machine machine;
  CheckContext context = machine.context();
  expect(check_locked_memory(context), Result::ok, "key_cache 256 needs");
  // More than the address space.
  Settings large = context.settings;
  large.key_cache = size_t{1} << 40;
  context = look_around(large, machine.options());
  expect(check_locked_memory(context), Result::error, "memory for keys", "LimitMEMLOCK=");
  expect(check_key_files(context), Result::skipped, "see locked-memory");
  expect(check_listener_key(context), Result::skipped, "see locked-memory");
}

TEST_CASE("check: what the kernel has for the sandbox", "[keyd][keyd-admin]") {
  Machine machine;
  CheckContext context = machine.context();
  context.kernel = {3, true, true};
  expect(check_landlock(context), Result::ok, "ABI 3");
  expect(check_seccomp(context), Result::ok, "available");
  expect(check_memfd_secret(context), Result::ok, "available");
  context.kernel = {};
  expect(check_landlock(context), Result::warning, "no Landlock", "lsm=landlock");
  expect(check_seccomp(context), Result::warning, "no seccomp", "CONFIG_SECCOMP_FILTER");
  expect(check_memfd_secret(context), Result::ok, "not available", "secretmem.enable");
  context.settings.require_sandbox = true;
  expect(check_landlock(context), Result::error, "keyd does not start", "lsm=landlock");
  expect(check_seccomp(context), Result::error, "keyd does not start");
}

TEST_CASE("check: key names that differ from client ids in Unicode form or case get a warning with the remedy",
          "[keyd][keyd-admin]") {
  Machine machine;
  const auto text = machine.key.text(witness::Form::pkcs8);
  machine.scratch.put("keys/DEV.pem", text);
  expect(machine.check("key-names"), Result::warning, "1 name that differ", "CLIENT_ID` lists");
  machine.scratch.put("keys/za\u0308hler.pem", text);
  expect(machine.check("key-names"), Result::warning, "decomposed Unicode form (NFD)", "NFC form");
}

TEST_CASE("check: a listener's key that is a device's too is an error, by its place and by its content",
          "[keyd][keyd-admin]") {
  Machine machine;
  machine.scratch.put("keys/copy.pem", machine.listener.text(witness::Form::pkcs8));
  expect(machine.check("listener-key"), Result::error, "it is also the key of 1 device, which keyd refuses",
         "a key and a certificate of its own");
  machine.settings["listener_keyfile"] = machine.scratch / "keys/copy.pem";
  expect(machine.check("listener-key"), Result::error, "also the key of a device named \"copy\"", "move the file");
}

TEST_CASE("check: each of several listeners' keys has a line, and any of them may be the certificate's",
          "[keyd][keyd-admin]") {
  Machine machine;
  const witness::Key second = witness::Key::generate("RSA:2048");
  machine.certificate = machine.scratch.put("listener.pem", witness::certificate(second));
  machine.settings["listener_keyfile"] = {machine.scratch / "listener.key", machine.scratch / "second.key"};
  const Check missing = machine.check("listener-key");
  expect(missing, Result::error, "1 of 2 keys is good", "second.key");
  REQUIRE(missing.details.size() == 2);
  CHECK(missing.details[1].find("no device can connect to its listener until it is there") != std::string::npos);
  expect(machine.check("listener-certificate"), Result::error, "it is for another key");
  machine.scratch.put("second.key", second.text(witness::Form::pkcs8));
  expect(machine.check("listener-key"), Result::ok, "2 of 2 keys are good");
  expect(machine.check("listener-certificate"), Result::ok, "is the listener key's");
  machine.scratch.put("keys/copy.pem", second.text(witness::Form::pkcs8));
  expect(machine.check("listener-key"), Result::error, "it is also the key of 1 device, which keyd refuses");
}

TEST_CASE("check: the key for the local broker has a line of its own, and may not be the listener's",
          "[keyd][keyd-admin]") {
  Machine machine;
  expect(machine.check("local-key"), Result::skipped, "local_keyfile is not set");
  machine.settings["local_keyfile"] = machine.scratch / "local.key";
  expect(machine.check("local-key"), Result::error, "no device without a key can connect", "install -o");
  machine.scratch.put("local.key", machine.listener.text(witness::Form::traditional));
  expect(machine.check("local-key"), Result::error, "listener_keyfile and local_keyfile have the same key");
  machine.scratch.put("local.key", witness::Key::generate("P-256").text(witness::Form::pkcs8));
  expect(machine.check("local-key"), Result::ok, "P-256, 256 bits");
}

TEST_CASE("check: presence that is not required, or whose window is too short for relayd's timeouts, is a warning",
          "[keyd][keyd-admin]") {
  Machine machine;
  expect(machine.check("presence"), Result::ok, "only within 60s of the device's own handshake");
  CheckContext context = machine.context();
  context.device_wait_ms = 54'000;
  expect(check_presence(context), Result::ok, "60s");
  context.device_wait_ms = 55'000;
  expect(check_presence(context), Result::warning, "relayd's timeouts give a slow device 55s",
         "set presence_window to \"62s\"");
  machine.settings["require_presence"] = false;
  expect(machine.check("presence"), Result::warning, "an attacker in a worker", "set require_presence to true");
}
