// A change of a key file takes effect at once; which keys stay cached; a file that is swapped meanwhile fools no
// reader.
#include "keyd_key_store_support.h"

using namespace keyd_test;

namespace {

void change_a_file(std::chrono::nanoseconds settled_after) {
  Store store(8, settled_after);
  const Key first = Key::generate("P-256"), second = Key::generate("P-384");
  CHECK(store.find("d").status == Status::not_found);
  const std::string file = store.put("d.pem", first.text(Form::pkcs8));
  REQUIRE(store.find("d").status == Status::ok);
  CHECK(store.find("d").key->info().spki == first.spki());
  store.put("d.pem", second.text(Form::pkcs8));
  REQUIRE(store.find("d").status == Status::ok);
  CHECK(store.find("d").key->info().spki == second.spki());
  chmod(file.c_str(), 0644);
  CHECK(store.find("d").status == Status::unusable);
  chmod(file.c_str(), 0600);
  CHECK(store.find("d").status == Status::ok);
  unlink(file.c_str());
  CHECK(store.find("d").status == Status::not_found);
  CHECK(store.store().cached() == 0);
  store.put("d.pem", first.text(Form::pkcs8));
  CHECK(store.find("d").status == Status::ok);
  std::filesystem::rename(file, store.scratch / "keys/e.pem");
  CHECK(store.find("d").status == Status::not_found);
  CHECK(store.find("e").status == Status::ok);
}

}  // namespace

TEST_CASE("a key file that is added, replaced, removed or chmodded takes effect at once", "[keyd][key_store]") {
  SECTION("while a file is young and read at each use") { change_a_file(std::chrono::seconds(2)); }
  SECTION("when only the file's identity shows the change") { change_a_file(kSettledAtOnce); }
}

TEST_CASE("a key overwritten in place within one clock tick takes effect at once", "[keyd][key_store]") {
  Store store;
  const Key first = Key::generate("P-256"), second = Key::generate("P-256");
  const std::string file = store.put("d.pem", first.text(Form::pkcs8));
  for (int round = 0; round < 50; round++)
    for (const Key& key : {first, second}) {
      std::ofstream(file, std::ios::binary | std::ios::in) << key.text(Form::pkcs8);  // same inode, same size
      const auto found = store.find("d");
      REQUIRE(found.status == Status::ok);
      REQUIRE(found.key->info().spki == key.spki());
    }
}

// Since Linux 6.13 most file systems have fine time stamps, and the test above would pass without this.
TEST_CASE("a file too young to show its changes is read at each use", "[keyd][key_store]") {
  Store store(8, std::chrono::hours(1));
  store.put("d.pem", Key::generate("P-256").text(Form::pkcs8));
  const auto once = store.find("d").key;
  REQUIRE(once);
  CHECK(store.find("d").key != once);
}

TEST_CASE("an unchanged file is parsed once", "[keyd][key_store]") {
  Store store(8, kSettledAtOnce);
  store.put("d.pem", Key::generate("P-256").text(Form::pkcs8));
  const auto once = store.find("d").key;
  REQUIRE(once);
  CHECK(store.find("d").key == once);
}

TEST_CASE("a thread that has no time for the disk gets a cached key of an unchanged file, or learns what it needs",
          "[keyd][key_store]") {
  using Effort = KeyStore::Effort;
  Store store(8, kSettledAtOnce);
  store.passphrase = witness::kPassphrase;
  const auto needs = [&](Effort effort) {
    const auto found = store.store().find(Role::device, "d", nullptr, effort);
    CHECK((found.needs == Effort::none || (found.status == Status::busy && !found.key)));
    return found.needs;
  };
  const auto has_key = [&](const Key& key) {
    const auto found = store.store().find(Role::device, "d", nullptr, Effort::none);
    return found.key && found.key->info().spki == key.spki();
  };
  CHECK(needs(Effort::none) == Effort::reads);  // it does not even look whether there is a file
  const Key first = Key::generate("P-256"), second = Key::generate("P-256"), third = Key::generate("P-256");
  store.put("d.pem", first.text(Form::pkcs8));
  CHECK(needs(Effort::none) == Effort::reads);
  CHECK(needs(Effort::reads) == Effort::none);
  CHECK(has_key(first));
  store.put("d.pem", second.text(Form::pkcs8));
  CHECK(needs(Effort::none) == Effort::reads);
  CHECK(needs(Effort::reads) == Effort::none);
  CHECK(has_key(second));
  store.put("d.pem", third.text(Form::encrypted_pkcs8));
  CHECK(needs(Effort::none) == Effort::reads);
  CHECK(needs(Effort::reads) == Effort::opens);
  CHECK(needs(Effort::opens) == Effort::none);
  CHECK(has_key(third));
  unlink((store.scratch / "keys/d.pem").c_str());
  CHECK_FALSE(has_key(third));
}

TEST_CASE("the cache is bounded and drops the least recently used", "[keyd][key_store]") {
  Store store(4, kSettledAtOnce);
  const std::string pem = Key::generate("P-256").text(Form::pkcs8);
  for (int i = 0; i < 200; i++) store.put(std::to_string(i) + ".pem", pem);  // more than there are slots
  const auto zero = store.find("0").key;
  for (int i = 1; i < 200; i++) {
    REQUIRE(store.find(std::to_string(i)).status == Status::ok);
    REQUIRE(store.find("0").key == zero);  // in steady use, so it stays
    CHECK(store.store().cached() <= 4);
  }
  std::weak_ptr<PrivateKey> dropped = store.find("1").key;
  for (const char* id : {"2", "3", "4", "5"}) CHECK(store.find(id).status == Status::ok);
  CHECK(dropped.expired());
}

TEST_CASE("names without a file push no key out of the cache", "[keyd][key_store]") {
  Store store(1, kSettledAtOnce);
  store.put("d.pem", Key::generate("P-256").text(Form::pkcs8));
  const auto key = store.find("d").key;
  for (int i = 0; i < 100; i++) CHECK(store.find("nobody-" + std::to_string(i)).status == Status::not_found);
  CHECK(store.find("d").key == key);
}

TEST_CASE("a key in use outlives its place in the cache", "[keyd][key_store]") {
  Store store(1);
  const Key key = Key::generate("P-256");
  store.put("a.pem", key.text(Form::pkcs8));
  store.put("b.pem", Key::generate("P-256").text(Form::pkcs8));
  const auto used = store.find("a").key;
  REQUIRE(used);
  CHECK(store.find("b").status == Status::ok);
  CHECK(used->info().spki == key.spki());
}

TEST_CASE("the listener's key has the same rules and is read again too", "[keyd][key_store]") {
  Store store;
  const Key key = Key::generate("P-256");
  const std::string file = store.scratch.put("listener.key", key.text(Form::pkcs8));
  CHECK(start_error(store).empty());
  CHECK(store.store().find(Role::listener, "").key->info().spki == key.spki());
  chmod(file.c_str(), 0644);
  CHECK(store.store().find(Role::listener, "").status == Status::unusable);
  const Key next = Key::generate("ED25519");
  store.scratch.put("listener.key", next.text(Form::pkcs8));
  CHECK(store.store().find(Role::listener, "").key->info().spki == next.spki());
  unlink(file.c_str());
  CHECK(store.store().find(Role::listener, "").status == Status::not_found);
}

TEST_CASE("of several listeners' keys, the one of the certificate is found", "[keyd][key_store]") {
  Store store(8, kSettledAtOnce);
  store.more_listeners = {"second.key", "third.key"};
  const Key first = Key::generate("P-256"), second = Key::generate("RSA:2048"), other = Key::generate("P-256");
  const auto put = [&](const char* file, const Key& key) {
    store.put(std::string("../") + file, key.text(Form::pkcs8));
  };
  put("listener.key", first);
  put("second.key", second);
  const auto find = [&](const Key& certificate, bool signs = true) {
    const auto spki = certificate.spki();
    return store.store().find(Role::listener, "", &spki, KeyStore::Effort::opens, signs);
  };
  CHECK(find(first).key->info().spki == first.spki());
  CHECK(find(second).key->info().spki == second.spki());
  CHECK(find(other).status == Status::not_found);  // third.key is missing, and may be the other's
  put("third.key", Key::generate("P-384"));
  CHECK(find(other).key->info().spki == first.spki());  // which policy refuses: it is not the certificate's
  // Each has its own previous key.
  const Key renewed = Key::generate("P-256");
  put("second.key", renewed);
  CHECK(find(renewed).key->info().spki == renewed.spki());
  CHECK(find(second).key->info().spki == second.spki());
  CHECK(find(second, false).key->info().spki == first.spki());
  CHECK(find(first).key->info().spki == first.spki());
  // A device may have none of them.
  for (const Key* taken : {&first, &second, &renewed}) {
    store.put("d.pem", taken->text(Form::pkcs8));
    CHECK(store.find("d").status == Status::unusable);
  }
}

TEST_CASE("the key for the local broker is apart from the listeners' and the devices' keys", "[keyd][key_store]") {
  Store store(8, kSettledAtOnce);
  store.local = "local.key";
  const Key listener = Key::generate("P-256"), local = Key::generate("P-256");
  store.put("../listener.key", listener.text(Form::pkcs8));
  store.put("../local.key", local.text(Form::pkcs8));
  const auto find = [&](Role role) { return store.store().find(role, ""); };
  CHECK(find(Role::listener).key->info().spki == listener.spki());
  CHECK(find(Role::local).key->info().spki == local.spki());
  store.put("d.pem", local.text(Form::traditional));
  CHECK(store.find("d").status == Status::unusable);
  store.put("../local.key", listener.text(Form::pkcs8));
  CHECK(find(Role::local).status == Status::unusable);
  CHECK(find(Role::local).reason.find("for another purpose (listener_keyfile, local_keyfile)") != std::string::npos);
}

TEST_CASE("at the start each listener's key file is judged", "[keyd][key_store]") {
  Store store;
  store.more_listeners = {"second.key"};
  store.put("../second.key", "hello");
  CHECK(start_error(store).empty());
  const ConfiguredPath second{store.scratch / "second.key", "keyd.json: listener_keyfile"};
  CHECK_THROWS_AS(expect_own_key(store.store(), {second, Role::listener}), std::runtime_error);
}

TEST_CASE("the listener's key is not reachable as a device's", "[keyd][key_store]") {
  Store store;
  CHECK(store.find("../listener.key").status == Status::not_found);
  CHECK(store.find("listener").status == Status::not_found);
}

TEST_CASE("a broken replacement leaves the old key in use", "[keyd][key_store]") {
  Store store(8, kSettledAtOnce);
  const Key old = Key::generate("P-256"), next = Key::generate("P-256");
  store.put("d.pem", old.text(Form::pkcs8));
  REQUIRE(store.find("d").status == Status::ok);
  for (const std::string& broken : {std::string("hello"), std::string(), next.text(Form::pkcs8).substr(0, 90),
                                    Key::generate("RSA:1024").text(Form::pkcs8)}) {
    store.put("d.pem", broken);
    const auto found = store.find("d");
    REQUIRE(found.status == Status::ok);
    CHECK(found.key->info().spki == old.spki());
  }
  store.put("d.pem", next.text(Form::pkcs8));
  CHECK(store.find("d").key->info().spki == next.spki());
}

TEST_CASE("a replacement with a wrong owner or mode is not used, and neither is the old key", "[keyd][key_store]") {
  Store store(8, kSettledAtOnce);
  const Key key = Key::generate("P-256");
  const std::string file = store.put("d.pem", key.text(Form::pkcs8));
  REQUIRE(store.find("d").status == Status::ok);
  chmod(file.c_str(), 0644);
  CHECK(store.find("d").status == Status::unusable);
  chmod(file.c_str(), 0600);
  CHECK(store.find("d").status == Status::ok);
  std::filesystem::remove(file);
  std::filesystem::create_symlink(store.scratch / "listener.key", file);
  CHECK(store.find("d").status == Status::unusable);
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  CHECK(store.find("d").status == Status::unusable);
  std::filesystem::remove(file);
  CHECK(store.find("d").status == Status::not_found);
}

TEST_CASE("a file swapped while it is opened is the key or nothing", "[keyd][key_store]") {
  Store store(8, kSettledAtOnce);
  const Key key = Key::generate("P-256"), foreign = Key::generate("P-256");
  const std::string elsewhere = store.scratch.put("foreign.pem", foreign.text(Form::pkcs8));
  const std::string file = store.scratch / "keys/d.pem";
  store.store();
  std::atomic<bool> done = false;
  std::thread swapper([&] {
    const std::string next = store.scratch / "next";
    for (int i = 0; !done; i++) {
      switch (i % 4) {
        case 0: store.put("d.pem", key.text(Form::pkcs8)); continue;
        case 1: std::filesystem::create_symlink(elsewhere, next); break;
        case 2: std::ofstream(next) << foreign.text(Form::pkcs8); break;
        case 3: std::filesystem::remove(file); continue;
      }
      if (i % 4 == 2) chmod(next.c_str(), 0644);
      std::filesystem::rename(next, file);
    }
  });
  size_t ok = 0, refused = 0;
  for (int i = 0; i < 4000 || ok == 0 || refused == 0; i++) {
    const auto found = store.find("d");
    found.status == Status::ok ? ok++ : refused++;
    if (found.key && found.key->info().spki != key.spki()) FAIL("a foreign key was used");
  }
  done = true;
  swapper.join();
  CHECK(ok > 0);
  CHECK(refused > 0);
}
