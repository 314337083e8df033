// A reload applies the files' current contents to new devices and ends no session; a failed reload changes nothing.

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

const auto thermo = [] { return device_identity("p256", 1); };

Device join(World& world, const std::string& id) {
  const auto identity = thermo();
  world.give_key(id, identity);
  auto device = world.device(identity);
  device.join(id);
  return device;
}

// Requires that the reload succeeded; returns the generation.
int reloaded(World& world) {
  const auto line = world.relay().reload();
  INFO(line.dump());
  REQUIRE(line.value("msg", "") == "relayd reloaded");
  return line.at("generation").get<int>();
}

void check_changed_nothing(World& world, const std::vector<std::string>& named) {
  auto session = join(world, "session");
  const auto before = children_of(world.relay().relayd().pid());
  const auto line = world.relay().reload();
  INFO(line.dump());
  REQUIRE(line.value("msg", "") == "reload failed; nothing has changed");
  for (const auto& part : named) {
    CAPTURE(part);
    CHECK(line.at("cause").get<std::string>().find(part) != std::string::npos);
  }
  CHECK(world.relay().notified().wait_line("READY=1", world.relay().relayd()) == "READY=1");
  session.ping();
  join(world, "new").ping();
  for (const auto pid : before) CHECK(kill(pid, 0) == 0);
}

// The certificate that the listener sends, in DER.
std::string shown_certificate(World& world) {
  const auto identity = thermo();
  return TlsStream::connect(world.relay().endpoint(), TlsContext::client(&identity, authorities().root))
      .peer_chain()
      .at(0);
}

void replace(const fs::path& file, const fs::path& by) {
  const auto scratch = file.string() + ".new";
  write_file(scratch, read_file(by));
  fs::rename(scratch, file);
}

}  // namespace

TEST_CASE(
    "after ten reloads each session is up, new devices are served, and old workers exit with their last session") {
  World world({.relayd = {{"workers", 2}}});
  std::vector<Device> sessions;
  for (int i = 0; i < 10; ++i) {
    sessions.push_back(join(world, "client-" + std::to_string(i)));
    CHECK(reloaded(world) == i + 2);
  }
  for (auto& session : sessions) session.publish("any/alive", "yes", 1);
  join(world, "new").ping();
  const auto relayd = world.relay().relayd().pid();
  CHECK(children_of(relayd).size() >= 3 + 10);
  const auto mark = world.relay().log().mark();
  for (auto& session : sessions) {
    session.disconnect();
    session.tls().read_to_end();
  }
  size_t ended = world.relay().log().count_text("generation has ended");
  while (ended < 10) {
    world.relay().log().wait_text("generation has ended", mark);
    ended = world.relay().log().count_text("generation has ended");
  }
  CHECK(children_of(relayd).size() == 3);  // two workers and their connector
}

TEST_CASE("a reload sends the service manager RELOADING with the time, then READY") {
  World world;
  world.relay().relayd().signal(SIGHUP);
  auto& notified = world.relay().notified();
  auto& relayd = world.relay().relayd();
  notified.wait_line("RELOADING=1", relayd);
  CHECK(notified.wait_line("MONOTONIC_USEC=", relayd).size() > 15);
  notified.wait_line("READY=1", relayd);
  CHECK(notified.wait_line("STATUS=", relayd).find("generation 2") != std::string::npos);
}

TEST_CASE("after a reload new devices get the renewed listener certificate") {
  World world;
  auto session = join(world, "old");
  const auto before = shown_certificate(world);
  const auto renewed = server_identity("renewed", "p256", world.directory.path());
  const auto certfile = world.directory / "relay/certificates/listener.pem";
  replace(world.directory / "relay/listener.key", renewed.key);
  REQUIRE(chown((world.directory / "relay/listener.key").c_str(), geteuid() == 0 ? keyd_user : geteuid(),
                static_cast<gid_t>(-1)) == 0);
  REQUIRE(chmod((world.directory / "relay/listener.key").c_str(), 0600) == 0);
  replace(certfile, renewed.certificate);
  reloaded(world);
  CHECK(shown_certificate(world) != before);
  session.ping();
}

TEST_CASE("after a reload with more or fewer workers, all of them serve and no session is lost") {
  World world({.relayd = {{"workers", 1}}});
  auto session = join(world, "session");
  for (const int workers : {3, 1, 2}) {
    world.relay().patch_relayd({{"workers", workers}});
    reloaded(world);
    for (int i = 0; i < 12; ++i) join(world, "client-" + std::to_string(i)).ping();
  }
  session.ping();
}

TEST_CASE("after a reload with another address, relayd serves there and no longer at the old one") {
  World world;
  auto session = join(world, "session");
  const Endpoint old = world.relay().endpoint();
  world.relay().options().listen.port = ports::direct;
  world.relay().patch_relayd({{"listener", {{"bind", world.relay().endpoint().text()}}}});
  reloaded(world);
  join(world, "new").ping();
  session.ping();
  const auto identity = thermo();
  CHECK_THROWS(
      TlsStream::connect(old, TlsContext::client(&identity, authorities().root), Deadline(std::chrono::seconds(5))));
}

TEST_CASE("a reload that fails changes nothing and names the cause") {
  World world;
  SECTION("not JSON") {
    write_file(world.relay().relayd_configuration(), "{ nothing");
    check_changed_nothing(world, {world.relay().relayd_configuration(), "line 1"});
  }
  SECTION("an unknown setting") {
    world.relay().patch_relayd({{"wrokers", 2}});
    check_changed_nothing(world, {"wrokers", "known here"});
  }
  SECTION("a certificate that is garbage") {
    write_file(world.directory / "relay/certificates/listener.pem", "nothing");
    check_changed_nothing(world, {"listener.certfile", "listener.pem"});
  }
  SECTION("a certificate that does not match the key") {
    const auto other = server_identity("other", "p256", world.directory.path());
    write_file(world.directory / "relay/certificates/listener.pem", read_file(other.certificate));
    check_changed_nothing(world, {"listener.pem", "does not match keyd's listener_keyfile"});
  }
  SECTION("CRLs that are garbage") {
    write_file(world.directory / "relay/certificates/crl.pem", "nothing");
    world.relay().patch_relayd({{"listener", {{"crlfile", world.directory / "relay/certificates/crl.pem"}}}});
    check_changed_nothing(world, {"listener.crlfile", "crl.pem"});
  }
  SECTION("a port that is taken") {
    world.relay().patch_relayd({{"listener", {{"bind", world.remote->endpoint().text()}}}});
    check_changed_nothing(world, {"listener.bind", "ss -ltnp"});
  }
  SECTION("a name that cannot be resolved") {
    world.relay().patch_relayd({{"remote_host", "no-such-host.invalid"}});
    check_changed_nothing(world, {"no-such-host.invalid", "can't be resolved"});
  }
}

TEST_CASE("a reload while keyd is down changes nothing and says so") {
  World world;
  auto session = join(world, "session");
  world.relay().keyd().kill();
  const auto line = world.relay().reload();
  CHECK(line.value("msg", "") == "reload failed; nothing has changed");
  CHECK(line.at("cause").get<std::string>().find("could not ask keyd") != std::string::npos);
  session.ping();
}

TEST_CASE("beyond max_generations only the oldest generation is drained") {
  World world({.relayd = {{"max_generations", 2}}});
  auto oldest = join(world, "oldest");
  reloaded(world);
  auto older = join(world, "older");
  reloaded(world);
  CHECK(oldest.tls().read_to_end().leftover.empty());
  older.ping();
}

TEST_CASE("with reload_on_change a renewed certificate serves without a command, and a broken one is tried once") {
  World world({.relayd = {{"reload_on_change", true}}});
  auto session = join(world, "session");
  const std::string before = shown_certificate(world);
  const auto certificate = world.directory / "relay/certificates/listener.pem";
  size_t mark = world.relay().log().mark();
  const std::string good = read_file(certificate);
  write_file(certificate, "no certificate");
  world.relay().log().wait_text("files have changed, so relayd reloads", mark);
  world.relay().log().wait_text("reload failed; nothing has changed", mark);
  CHECK(shown_certificate(world) == before);
  CHECK(world.relay().log().count_text("reload failed", mark) == 1);

  mark = world.relay().log().mark();
  write_file(certificate, good);
  world.relay().log().wait_text("relayd reloaded", mark);
  CHECK(world.relay().log().count_text("files have changed", 0) == 2);  // the broken file was tried once
  session.ping();
  join(world, "new").ping();

  // A drop-in appears, in a directory that was not there.
  mark = world.relay().log().mark();
  const fs::path folder = world.relay().relayd_configuration().string() + ".d";
  fs::create_directory(folder);
  write_file(folder / "10-site.json", R"({ "max_restarts": 3 })");
  chmod(folder.c_str(), 0755), chmod((folder / "10-site.json").c_str(), 0644);
  world.relay().log().wait_text("relayd reloaded", mark);
  world.relay().log().wait_text("10-site.json", mark);

  mark = world.relay().log().mark();
  world.relay().patch_relayd({{"reload_on_change", false}});
  world.relay().log().wait_text("relayd reloaded", mark);
}
