// Which files count as keys, and which never do.
#include "keyd_key_store_support.h"

using namespace keyd_test;

TEST_CASE("the key of a client id is the file of exactly that name", "[keyd][key_store]") {
  Store store;
  const Key key = Key::generate("P-256");
  store.put("device-1.pem", key.text(Form::pkcs8));
  const auto found = store.find("device-1");
  REQUIRE(found.status == Status::ok);
  CHECK(found.key->info().spki == key.spki());
  for (const char* other : {"device-2", "device-1.pem", "DEVICE-1", " device-1", "device-1 ", "device"})
    CHECK(store.find(other).status == Status::not_found);
}

TEST_CASE("every allowed format is read, and its public key is right", "[keyd][key_store]") {
  Store store;
  const std::pair<const char*, KeyType> kTypes[] = {{"RSA:2048", KeyType::rsa}, {"RSA:4096", KeyType::rsa},
                                                    {"P-256", KeyType::p256},   {"P-384", KeyType::p384},
                                                    {"P-521", KeyType::p521},   {"ED25519", KeyType::ed25519}};
  for (const auto& [type, expected] : kTypes) {
    const Key key = Key::generate(type);
    for (const Form form : {Form::pkcs8, Form::traditional}) {
      if (form == Form::traditional && expected == KeyType::ed25519) continue;  // Ed25519 has no traditional form
      INFO(type << " " << static_cast<int>(form));
      store.put("d.pem", key.text(form));
      const auto found = store.find("d");
      INFO(found.reason);
      REQUIRE(found.status == Status::ok);
      CHECK(found.key->info().type == expected);
      CHECK(found.key->info().spki == key.spki());
    }
  }
}

TEST_CASE("certificates, parameters and text beside the key do no harm", "[keyd][key_store]") {
  Store store;
  const Key key = Key::generate("P-256");
  const std::string parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  store.put("a.pem", parameters + key.text(Form::traditional));
  store.put("b.pem", witness::certificate(key) + key.text(Form::pkcs8));
  store.put("c.pem", "Bag Attributes\r\n  friendlyName: x\r\n" + key.text(Form::pkcs8) + witness::certificate(key));
  std::string crlf = key.text(Form::pkcs8);
  for (size_t at = 0; (at = crlf.find('\n', at)) != crlf.npos; at += 2) crlf.insert(at, "\r");
  store.put("d.pem", crlf);
  std::string no_newline = key.text(Form::pkcs8);
  no_newline.pop_back();
  store.put("e.pem", no_newline);
  for (const char* id : {"a", "b", "c", "d", "e"}) {
    const auto found = store.find(id);
    INFO(id << ": " << found.reason);
    REQUIRE(found.status == Status::ok);
    CHECK(found.key->info().spki == key.spki());
  }
}

TEST_CASE("a file without a usable key is refused, and the refusal says what was found", "[keyd][key_store]") {
  Store store;
  const Key p256 = Key::generate("P-256");
  const std::string pem = p256.text(Form::pkcs8);
  std::string broken = pem;
  broken.replace(68, 4, "AAAA");
  std::string not_base64 = pem;
  not_base64.replace(60, 4, "!!!!");
  const std::pair<std::string, std::string> kRefused[] = {
      {witness::certificate(p256), "found a certificate, not a private key"},
      {p256.text(Form::public_key), "found a public key, not a private key"},
      {p256.text(Form::encrypted_pkcs8), "encrypted"},
      {p256.text(Form::encrypted_traditional), "encrypted"},
      {p256.text(Form::der), "it is not PEM"},
      {pem + pem, "two private keys"},
      {pem + p256.text(Form::encrypted_pkcs8), "two private keys"},
      {Key::generate("DSA").text(Form::pkcs8), "a DSA key"},
      {Key::generate("DSA").text(Form::traditional), "DSA PRIVATE KEY"},
      {Key::generate("ED448").text(Form::pkcs8), "an Ed448 key"},
      {Key::generate("X25519").text(Form::pkcs8), "an X25519 key"},
      {Key::generate("secp256k1").text(Form::pkcs8), "another curve"},
      {Key::generate("X448").text(Form::pkcs8), "unknown algorithm"},
      {Key::generate("secp256k1").text(Form::traditional), "curve"},
      {Key::generate("RSA:1024").text(Form::pkcs8), "1024"},
      {Key::generate("RSA:1024").text(Form::traditional), "RSA"},
      {Key::generate("RSA:5120").text(Form::pkcs8), "RSA"},
      {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "an OpenSSH key"},
      {pem.substr(0, pem.size() / 2), "no END line"},
      {"-----BEGIN ", "BEGIN line is broken"},
      {broken, "a P-256 key that is broken"},
      {not_base64, "base64"},
      {"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "base64"},
      {"-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----\n", "base64"},
      {"hello", "not PEM"},
      {std::string(40, '\0'), "not PEM"},
      {"", "not PEM"},
      {pem + std::string(64 * 1024, '\n'), "larger than 64 KiB"},
  };
  for (const auto& [text, expected] : kRefused) {
    store.put("d.pem", text);
    const auto found = store.find("d");
    CHECK(found.status == Status::unusable);
    CHECK_FALSE(found.key);
    check_contains(found.reason, {expected});
  }
}

TEST_CASE("a refusal shows no byte of the key", "[keyd][key_store]") {
  Store store;
  std::string pem = Key::generate("P-256").text(Form::pkcs8);
  const std::string secret = pem.substr(60, 12);
  pem.replace(100, 4, "!!!!");
  store.put("d.pem", pem);
  CHECK(store.find("d").reason.find(secret) == std::string::npos);
}

TEST_CASE("an unusable file is logged once, and again when it changes", "[keyd][key_store]") {
  for (const auto settled_after : {kSettledAtOnce, std::chrono::nanoseconds(std::chrono::seconds(2))}) {
    Store store(8, settled_after);
    store.put("d.pem", "hello");
    const std::string log = store.scratch / "log";
    const common::Fd file(open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)),
        saved(dup(STDERR_FILENO));
    REQUIRE(dup2(file.get(), STDERR_FILENO) == STDERR_FILENO);
    for (int i = 0; i < 10; i++) store.find("d");
    const size_t once = lines_of(log).size();
    store.put("d.pem", "hello again");
    for (int i = 0; i < 10; i++) store.find("d");
    const size_t twice = lines_of(log).size();
    dup2(saved.get(), STDERR_FILENO);
    CHECK(once == 1);
    CHECK(twice == 2);
    check_contains(slurp(log), {store.scratch / "keys/d.pem", "not PEM"});
  }
}

TEST_CASE("ids that lead elsewhere have no key", "[keyd][key_store]") {
  Store store;
  const std::string pem = Key::generate("P-256").text(Form::pkcs8);
  store.scratch.put("outside.pem", pem);
  std::filesystem::create_directory(store.scratch / "keys/sub");
  store.put("sub/d.pem", pem);
  store.put(".pem", pem);
  const std::string nul("a\0b", 3);
  for (const std::string& id : {std::string("../outside"), store.scratch / "outside", std::string("sub/d"),
                                std::string("./sub/d"), std::string(""), std::string("."), std::string(".."), nul,
                                std::string("a\nb"), std::string(252, 'x'), std::string(65535, 'x')}) {
    INFO(id.substr(0, 40));
    CHECK(store.find(id).status == Status::not_found);
  }
  store.put(std::string(251, 'x') + ".pem", pem);
  CHECK(store.find(std::string(251, 'x')).status == Status::ok);
}

TEST_CASE("links, FIFOs, directories, sockets and devices are never followed or read", "[keyd][key_store]") {
  Store store;
  const std::string target = store.scratch.put("outside.pem", Key::generate("P-256").text(Form::pkcs8));
  store.put("real.pem", Key::generate("P-256").text(Form::pkcs8));
  std::filesystem::create_symlink(target, store.scratch / "keys/absolute.pem");
  std::filesystem::create_symlink("../outside.pem", store.scratch / "keys/relative.pem");
  std::filesystem::create_symlink("real.pem", store.scratch / "keys/inside.pem");
  std::filesystem::create_symlink("nowhere", store.scratch / "keys/dangling.pem");
  std::filesystem::create_symlink("/proc/self/environ", store.scratch / "keys/magic.pem");
  std::filesystem::create_directory(store.scratch / "keys/directory.pem");
  REQUIRE(mkfifo((store.scratch / "keys/fifo.pem").c_str(), 0600) == 0);
  const common::Fd socket_fd(socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (store.scratch / "keys/socket.pem").copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(bind(socket_fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const std::pair<const char*, const char*> kNames[] = {{"absolute", "symbolic link"},  {"relative", "symbolic link"},
                                                        {"inside", "symbolic link"},    {"dangling", "symbolic link"},
                                                        {"magic", "symbolic link"},     {"directory", "directory"},
                                                        {"fifo", "not a regular file"}, {"socket", "socket"}};
  for (const auto& [id, expected] : kNames) {
    INFO(id);
    const auto found = store.find(id);
    CHECK(found.status == Status::unusable);
    check_contains(found.reason, {expected});
  }
  CHECK(store.find("real").status == Status::ok);
}

TEST_CASE("a key that others may read or write is refused with the remedy", "[keyd][key_store]") {
  Store store;
  const std::string pem = Key::generate("P-256").text(Form::pkcs8);
  for (const mode_t mode : {0400, 0600, 0440, 0640, 0700}) {
    INFO(std::oct << mode);
    store.put("d.pem", pem, mode);
    CHECK(store.find("d").status == Status::ok);
  }
  for (const mode_t mode : {0644, 0604, 0602, 0601, 0660, 0620, 0650, 0666, 0777, 0444, 04644}) {
    INFO(std::oct << mode);
    store.put("d.pem", pem, mode);
    const auto found = store.find("d");
    CHECK(found.status == Status::unusable);
    check_contains(found.reason, {"chmod 600", "/keys/d.pem"});
  }
}

TEST_CASE("a key that another group may read is refused, root's and keyd's own group may read", "[keyd][key_store]") {
  if (geteuid() != 0) {
    WARN("SKIPPED: needs root to make files of another group");
    return;
  }
  Store store;
  const std::string file = store.put("d.pem", Key::generate("P-256").text(Form::pkcs8), 0640);
  constexpr gid_t kGroup = 54321;
  REQUIRE(chown(file.c_str(), 0, kGroup) == 0);
  const auto found = store.find("d");
  CHECK(found.status == Status::unusable);
  check_contains(found.reason, {"0640", "gid 54321", "chgrp " + std::to_string(getegid()) + " '", "chmod 600", file});
  REQUIRE(chmod(file.c_str(), 0600) == 0);  // then the group does not matter
  CHECK(store.find("d").status == Status::ok);
  REQUIRE(chmod(file.c_str(), 0440) == 0);
  CHECK(store.find("d").status == Status::unusable);
  REQUIRE(setegid(kGroup) == 0);
  const auto own = store.find("d");
  REQUIRE(setegid(0) == 0);
  CHECK(own.status == Status::ok);
  REQUIRE(chown(file.c_str(), 0, 0) == 0);
  REQUIRE(setegid(kGroup) == 0);
  const auto roots = store.find("d");
  REQUIRE(setegid(0) == 0);
  CHECK(roots.status == Status::ok);
}

TEST_CASE("a key of another owner is refused, also through a hard link", "[keyd][key_store]") {
  if (geteuid() != 0) {
    WARN("SKIPPED: needs root to make files of another owner");
    return;
  }
  Store store;
  const std::string foreign = store.scratch.put("foreign.pem", Key::generate("P-256").text(Form::pkcs8));
  REQUIRE(chown(foreign.c_str(), 1234, 1234) == 0);
  std::filesystem::create_hard_link(foreign, store.scratch / "keys/d.pem");
  const auto found = store.find("d");
  CHECK(found.status == Status::unusable);
  check_contains(found.reason, {"owner is uid 1234", "chown 0 "});
}

TEST_CASE("a key that keyd may not read is unusable, and the reason says how to fix it", "[keyd][key_store]") {
  if (geteuid() != 0) {
    WARN("SKIPPED: needs root");
    return;
  }
  Store store;
  REQUIRE(chmod(store.scratch.path().c_str(), 0755) == 0);
  REQUIRE(chown((store.scratch / "keys").c_str(), kNobody, 0) == 0);
  const auto file = store.put("d.pem", Key::generate("P-256").text(Form::pkcs8), 0600);  // owned by root
  const AsNobody nobody;
  auto found = store.find("d");
  CHECK(found.status == Status::unusable);
  check_contains(found.reason, {"may not read it", "chown 65534", "d.pem"});
}

TEST_CASE("errors at start name the setting, the value and the remedy", "[keyd][key_store]") {
  Store store;
  SECTION("no keys directory") {
    std::filesystem::remove_all(store.scratch / "keys");
    check_contains(start_error(store),
                   {"keyd.json: private_keys_dir", store.scratch / "keys", "No such file", "create it"});
  }
  SECTION("the keys directory is a file") {
    std::filesystem::remove_all(store.scratch / "keys");
    store.scratch.put("keys", "");
    check_contains(start_error(store), {"private_keys_dir", "Not a directory"});
  }
  SECTION("the keys directory can't be entered") {
    if (geteuid() != 0) {
      WARN("SKIPPED: needs root to be somebody else");
      return;
    }
    REQUIRE(chmod(store.scratch.path().c_str(), 0755) == 0);
    const AsNobody nobody;
    check_contains(start_error(store), {"private_keys_dir", "Permission denied", "uid 65534"});
  }
  SECTION("any user may write into the keys directory") {
    chmod((store.scratch / "keys").c_str(), 0777);
    check_contains(start_error(store), {"private_keys_dir", "chmod o-w"});
  }
  SECTION("no directory of the listener's key") {
    const ConfiguredPath elsewhere{store.scratch / "none/listener.key", "keyd.json: listener_keyfile"};
    CHECK_THROWS_AS(open_own_key_dir(elsewhere), std::runtime_error);
  }
  SECTION("the listener's key is not a key") {
    store.scratch.put("listener.key", "hello");
    check_contains(start_error(store), {"listener_keyfile", "not PEM"});
  }
  SECTION("any user may read the listener's key") {
    chmod((store.scratch / "listener.key").c_str(), 0644);
    check_contains(start_error(store), {"listener_keyfile", "0644", "chmod 600"});
  }
  SECTION("the listener's key is encrypted") {
    store.scratch.put("listener.key", Key::generate("P-256").text(Form::encrypted_pkcs8));
    check_contains(start_error(store), {"listener_keyfile", "encrypted"});
  }
}

namespace {

// As OpenSSL writes it: PBES2, PBKDF2 with HMAC-SHA256, AES-256-CBC.
std::string encrypted(const Key& key) { return key.text(Form::encrypted_pkcs8); }

}  // namespace

TEST_CASE("an encrypted key opens with the passphrase", "[keyd][key_store]") {
  Store store;
  store.passphrase = witness::kPassphrase;
  for (const char* type : {"RSA:2048", "P-256", "P-384", "P-521", "ED25519"}) {
    const Key key = Key::generate(type);
    store.put("d.pem", encrypted(key));
    const auto found = store.find("d");
    INFO(type << ": " << found.reason);
    REQUIRE(found.status == Status::ok);
    CHECK(found.key->info().spki == key.spki());
  }
  // A kind of key that is refused is refused in encrypted form, too.
  store.put("d.pem", encrypted(Key::generate("secp256k1")));
  store.put("e.pem", encrypted(Key::generate("secp256k1")));
  check_contains(store.find("e").reason, {"another curve"});
}

TEST_CASE("an encrypted key that does not open says why", "[keyd][key_store]") {
  const Key key = Key::generate("P-256");
  {
    Store store;
    store.put("d.pem", encrypted(key));
    check_contains(store.find("d").reason, {"encrypted", "set key_passphrase_file"});
  }
  Store store;
  store.passphrase = "not it";
  store.put("d.pem", encrypted(key));
  check_contains(store.find("d").reason, {"encrypted", "passphrase", "does not open"});
  store.put("e.pem", key.encrypted("DES-EDE3-CBC", "SHA256"));
  check_contains(store.find("e").reason, {"other means", "openssl pkcs8 -topk8"});
}

TEST_CASE("the passphrase is the first line of a file that others can't read", "[keyd][key_store]") {
  const ScratchDir scratch;
  const auto text_of = [&](const std::string& text, mode_t mode = 0440) {
    return std::string(
        Passphrase(ConfiguredPath{scratch.put("p", text, mode), "keyd.json: key_passphrase_file"}).text());
  };
  CHECK(Passphrase(std::nullopt).text().empty());
  CHECK(text_of("secret\n") == "secret");
  CHECK(text_of("secret") == "secret");
  CHECK(text_of("se cret\r\nmore\n") == "se cret");
  const std::tuple<std::string, mode_t, std::string> kWrong[] = {{"", 0400, "first line is empty"},
                                                                 {"\nsecret\n", 0400, "first line is empty"},
                                                                 {std::string(1024, 'x'), 0400, "longer than"},
                                                                 {"secret\n", 0444, "chmod 600"},
                                                                 {"secret\n", 0620, "chmod 600"}};
  for (const auto& [text, mode, expected] : kWrong) {
    std::string error;
    try {
      text_of(text, mode);
    } catch (const std::runtime_error& caught) {
      error = caught.what();
    }
    check_contains(error, {"keyd.json: key_passphrase_file", expected});
  }
}

TEST_CASE("a device's key that is the listener's too is unusable, also in another form or as the listener's last key",
          "[keyd][key_store]") {
  Store store(8, kSettledAtOnce);
  const Key shared = Key::generate("P-256"), own = Key::generate("P-256");
  store.put("../listener.key", shared.text(Form::pkcs8));
  store.put("copy.pem", shared.text(Form::traditional));
  store.put("own.pem", own.text(Form::pkcs8));
  REQUIRE(store.store().find(Role::listener, "").key);
  CHECK(store.store().find(Role::device, "own").key);
  auto found = store.store().find(Role::device, "copy");
  CHECK(found.status == Status::unusable);
  CHECK(found.reason ==
        "relayd has the same key for another purpose (listener_keyfile, local_keyfile): give each a key and a "
        "certificate of its own");
  store.put("../listener.key", Key::generate("P-256").text(Form::pkcs8));
  const auto spki = shared.spki();
  REQUIRE(store.store().find(Role::listener, "", &spki).key);  // the previous one, until relayd is reloaded
  CHECK(store.store().find(Role::device, "copy").status == Status::unusable);
  CHECK(store.store().find(Role::listener, "").key);
}
