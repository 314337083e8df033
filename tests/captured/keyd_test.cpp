// What an attacker in a worker gains by what it says to keyd. Each attempt is in the audit.
#include "tests/integration/harness/keyd.h"
#include "common/json_line.h"
#include "tests/captured/gateway.h"

using namespace captured;
using namespace harness;

namespace {

std::string hex(const ipc::Request& request) {
  ipc::RequestBuffer datagram;
  return common::hex(datagram.data(), ipc::encode(request, datagram));
}

// "ok", "denied", … for an answer in hexadecimal, and "closed".
std::string status_of(const std::string& answer) {
  if (answer == "closed" || answer == "silent" || answer == "unsent") return answer;
  return ipc::name(static_cast<ipc::Status>(std::stoi(answer.substr(0, 2), nullptr, 16)));
}

// A gateway on which a key lies that no connected device has.
struct Bank {
  explicit Bank(Layout layout = Layout::own) : gateway(layout) { gateway.relay().give_file("victim.pem", victim.pem); }

  // keyd's answers to these requests.
  std::string ask(const std::vector<std::string>& datagrams) {
    std::string command = "keyd";
    for (const std::string& datagram : datagrams) command += " " + datagram;
    std::istringstream answers(gateway.attack(command));
    std::string text;
    answers >> text;
    CHECK(status_of(text) == "ok");  // to the HELLO that the connector has said
    std::string all;
    while (answers >> text) all += (all.empty() ? "" : " ") + status_of(text);
    return all;
  }
  std::string sign(ipc::Role role, std::string_view id, ipc::Kind kind, const ipc::Spki& spki, size_t content = 32) {
    const std::vector<uint8_t> bytes(content, 7);
    return ask({hex(ipc::Request{1, ipc::Sign{{role, spki, {}, id}, kind, victim.scheme, bytes}})});
  }
  // The audit's line after `mark` about this event.
  Json line(const std::string& event, size_t mark) {
    const auto fits = [&](const Json& each) {
      return each.value("event", "") == event && each.value("result", "ok") != "ok";
    };
    return gateway.relay().audit().wait_json(fits, "the audit's line about " + event, mark);
  }
  size_t mark() { return gateway.relay().audit().mark(); }

  const TestKey victim = TestKey::generate("P-256");
  Gateway gateway;
};

}  // namespace

TEST_CASE("captured worker: what is no message of keyd's protocol costs it its connection, and is in the audit") {
  for (const Layout layout : kLayouts) {
    Bank bank(layout);
    const std::string large(40'000, '\x01');
    for (const std::string& nonsense :
         {std::string("ff"), std::string(64, 'f'), common::hex(large.data(), large.size())}) {
      const auto mark = bank.mark();
      CHECK(bank.ask({nonsense}) == "malformed closed");
      CHECK(bank.line("malformed", mark).at("result") == "malformed");
    }
    bank.gateway.is_unharmed();
  }
}

TEST_CASE("captured worker: a second HELLO, as another worker, costs it its connection") {
  Bank bank;
  const auto mark = bank.mark();
  CHECK(bank.ask({hex(ipc::Request{2, ipc::Hello{.worker = 1}})}) == "malformed closed");
  CHECK(bank.line("malformed", mark).at("reason") == "a second HELLO");
  bank.gateway.is_unharmed();
}

TEST_CASE("captured worker: a request with a byte too many costs it its connection") {
  Bank bank;
  CHECK(bank.ask({hex(lookup_request(1, bank.victim, "victim")) + "00"}) == "malformed closed");
  CHECK(bank.ask({hex(sign_request(1, bank.victim, "victim")) + "00"}) == "malformed closed");
  bank.gateway.is_unharmed();
}

TEST_CASE("captured worker: a device's key does not sign as the listener") {
  Bank bank;
  const auto mark = bank.mark();
  CHECK(bank.sign(ipc::Role::listener, "", ipc::Kind::tls13_server, bank.victim.spki) == "mismatch");
  CHECK(bank.sign(ipc::Role::device, "victim", ipc::Kind::tls13_server, bank.victim.spki) == "denied");
  CHECK(bank.sign(ipc::Role::device, "victim", ipc::Kind::tls12_server, bank.victim.spki, 101) == "denied");
  CHECK(bank.sign(ipc::Role::local, "", ipc::Kind::tls13_server, bank.victim.spki) == "denied");
  CHECK(bank.line("sign", mark).at("result") == "mismatch");
  bank.gateway.is_unharmed();
}

TEST_CASE("captured worker: the listener's key does not sign as a device") {
  Bank bank;
  const auto mark = bank.mark();
  for (const char* id : {"listener", "../listener", "../listener.key"}) {
    CHECK(bank.sign(ipc::Role::device, id, ipc::Kind::tls13_client, bank.victim.spki) == "not_found");
    CHECK(bank.ask({hex(lookup_request(1, bank.victim, id))}) == "not_found");
  }
  CHECK(bank.sign(ipc::Role::listener, "", ipc::Kind::tls13_client, bank.victim.spki) == "denied");
  CHECK(bank.sign(ipc::Role::local, "", ipc::Kind::tls13_client, bank.victim.spki) == "not_found");
  CHECK(bank.line("sign", mark).at("result") == "not_found");
  bank.gateway.is_unharmed();
}

TEST_CASE("captured worker: a key signs for no certificate but its own") {
  Bank bank;
  const auto mark = bank.mark();
  const TestKey other = TestKey::generate("P-256");
  CHECK(bank.ask({hex(lookup_request(1, other, "victim"))}) == "mismatch");
  CHECK(bank.sign(ipc::Role::device, "victim", ipc::Kind::tls13_client, other.spki) == "mismatch");
  CHECK(bank.line("sign", mark).at("client_id") == "victim");
  bank.gateway.is_unharmed();
}

TEST_CASE("captured worker: a client id that is a path finds no key") {
  Bank bank;
  for (const char* id : {"../keys/victim", "/etc/ssl/private/ssl-cert-snakeoil", ".", "..", "victim/", "./victim"})
    CHECK(bank.ask({hex(lookup_request(1, bank.victim, id))}) == "not_found");
  bank.gateway.is_unharmed();
}

TEST_CASE("captured worker: content of another length than a transcript hash's is not signed") {
  Bank bank;
  for (const size_t size : {0, 1, 20, 31, 33, 47, 64, 256})
    CHECK(bank.sign(ipc::Role::device, "victim", ipc::Kind::tls13_client, bank.victim.spki, size) == "denied");
  bank.gateway.is_unharmed();
}

TEST_CASE("captured worker: it has one connection to keyd, however often it asks") {
  Bank bank;
  const std::string held = bank.gateway.attack("keyd:connections 200");
  CHECK(held.starts_with("done "));
  CHECK(held.ends_with(" 1"));
  bank.gateway.is_unharmed();
}

TEST_CASE("captured worker: no signature for a device that is not connected to it") {
  for (const Layout layout : kLayouts) {
    Bank bank(layout);
    const auto mark = bank.mark();
    CHECK(bank.sign(ipc::Role::device, "victim", ipc::Kind::tls13_client, bank.victim.spki) == "denied");
    CHECK(bank.line("sign", mark).at("client_id") == "victim");
    bank.gateway.is_unharmed();
  }
}

TEST_CASE("captured worker: a proof of presence that it made itself is worth nothing") {
  Bank bank;
  const std::vector<uint8_t> signature(72, 8);
  // A ClientHello, a ServerHello, CertificateVerify and Certificate, by their frames.
  const std::vector<uint8_t> frames{1, 0, 0, 1, 0, 2, 0, 0, 1, 0, 15, 0, 0, 1, 0, 11, 0, 0, 1, 0};
  const auto mark = bank.mark();
  for (const auto& messages : {std::vector<uint8_t>(1000, 9), frames, std::vector<uint8_t>{}})
    for (const auto presence : {ipc::Presence::tls12, ipc::Presence::tls13_sha256, ipc::Presence::tls13_sha384}) {
      const ipc::Proof proof{presence, bank.victim.scheme, signature, messages};
      const ipc::Lookup lookup{ipc::Role::device, bank.victim.spki, {}, "victim", {}, proof};
      CHECK(bank.ask({hex(ipc::Request{1, lookup}), hex(sign_request(2, bank.victim, "victim"))}) == "denied denied");
    }
  CHECK(bank.line("lookup", mark).at("client_id") == "victim");
  bank.gateway.is_unharmed();
}

TEST_CASE("captured worker: it can't claim the newest connection of a device that is not connected to it") {
  for (const Layout layout : kLayouts) {
    Bank bank(layout);
    harness::Device before = bank.gateway.newcomer("claimed");
    const auto of_device = [](const Json& line) {
      return line.value("event", "") == "lookup" && line.value("client_id", "") == "claimed";
    };
    const Json line = bank.gateway.relay().audit().wait_json(of_device, "the device's lookup", 0);
    const std::string spki = line.at("spki");
    ipc::Lookup claim{ipc::Role::device, {}, {}, "claimed"};
    for (size_t i = 0; i < claim.spki.size(); i++)
      claim.spki[i] = static_cast<uint8_t>(std::stoul(spki.substr(2 * i, 2), nullptr, 16));
    const std::vector<uint8_t> frames{1, 0, 0, 1, 0, 2, 0, 0, 1, 0, 15, 0, 0, 1, 0, 11, 0, 0, 1, 0}, signature(72, 8);
    ipc::Lookup forged = claim;
    forged.proof = {ipc::Presence::tls13_sha256, bank.victim.scheme, signature, frames};
    CHECK(bank.ask({hex(ipc::Request{1, claim}), hex(ipc::Request{2, forged})}) == "ok denied");
    bank.gateway.newcomer("claimed");
    bank.gateway.is_unharmed();
  }
}

TEST_CASE("captured worker: requests for hundreds of large keys take no slot from a sibling") {
  for (const Layout layout : kLayouts) {
    Bank bank(layout);
    const TestKey large = TestKey::generate("RSA:4096");
    std::string command = "keyd:many";
    for (int i = 0; i < 400; i++) {
      const std::string id = "large-" + std::to_string(i);
      bank.gateway.relay().give_file(id + ".pem", large.pem);
      command += " " + hex(lookup_request(static_cast<uint32_t>(i), large, id));
    }
    CHECK(bank.gateway.attack(command).starts_with("done "));
    bank.gateway.is_unharmed();
  }
}

TEST_CASE("captured worker: nonsense to its connector costs it its channel, and no sibling notices") {
  for (const Layout layout : kLayouts)
    for (const char* nonsense : {"channel 1 ff", "channel 1 0100000000000000000000", "channel 100000 00"}) {
      Gateway gateway(layout);
      gateway.attack(nonsense);
      gateway.is_unharmed();
    }
}

TEST_CASE("captured worker: of all files it gets the certificates in certs_dir, and a path costs it its channel") {
  const TempDir directory;
  fs::permissions(directory.path(), fs::perms::all);
  const fs::path certs = directory / "certs";
  fs::create_directory(certs);
  const auto identity = device_identity("p256", 1);
  const std::string chain = read_file(identity.certificate);
  for (const char* id : {"steady", "newcomer-1", "newcomer-2", "newcomer-3", "newcomer-4"})
    write_file(certs / (std::string(id) + ".crt"), chain);
  write_file(certs / "key.crt", read_file(identity.key));
  write_file(directory / "outside.crt", chain);
  fs::create_symlink("../outside.crt", certs / "link.crt");
  const auto ask = [](const std::string& name) { return "certificate " + common::hex(name.data(), name.size()); };
  for (const std::string path : {"../outside", "/etc/passwd", "..", "steady.crt/../../outside"}) {
    CAPTURE(path);
    Gateway gateway(Layout::own, {.relayd = {{"remote", {{"certificate", "file"}, {"certs_dir", certs}}}}});
    CHECK(gateway.attack(ask("steady")) == "file " + std::to_string(chain.size()));
    CHECK(gateway.attack(ask("outside")) == "missing");
    CHECK(gateway.attack(ask("key")).starts_with("it holds a private key"));
    CHECK(gateway.attack(ask("link")).starts_with("it is a link that leads out of remote.certs_dir"));
    CHECK(gateway.attack(ask(path)) == "closed");
    gateway.is_unharmed();
  }
}

TEST_CASE("captured worker: requests whose answers it does not read disturb no sibling") {
  for (const Layout layout : kLayouts) {
    Bank bank(layout);
    for (const std::string& request :
         {hex(ipc::Request{1, std::monostate{}}), hex(lookup_request(1, bank.victim, "victim")),
          hex(lookup_request(1, bank.victim, "nobody"))}) {
      CHECK(bank.gateway.attack("keyd:flood 100000 " + request).starts_with("done "));
      bank.gateway.serves();
    }
    bank.gateway.is_unharmed();
  }
}
