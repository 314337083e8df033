// The product's purpose: the remote broker sees each device's own identity.

#include <openssl/pem.h>
#include <algorithm>
#include <map>
#include <thread>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

std::vector<std::string> chain_in(const fs::path& file) {
  std::vector<std::string> chain;
  BIO* bio = BIO_new_file(file.c_str(), "r");
  while (X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)) {
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate, &der);
    chain.emplace_back(reinterpret_cast<char*>(der), static_cast<size_t>(size));
    OPENSSL_free(der);
    X509_free(certificate);
  }
  BIO_free(bio);
  return chain;
}

}  // namespace

TEST_CASE("with 20 devices at once, the remote sees each device's own certificate") {
  constexpr int count = 20;
  World world({.relayd = {{"workers", 2}}});
  const std::vector<std::string> types = {"rsa2048", "p256", "p384", "p521", "ed25519"};
  std::vector<Identity> identities;
  for (int i = 0; i < count; ++i) {
    identities.push_back(device_identity(types[i % types.size()], i));
    world.give_key("client-" + std::to_string(i), identities.back());
  }
  auto observer = world.direct(device_identity("p256", 99));
  observer.join("observer");
  REQUIRE(observer.subscribe("only/#", 1) == 1);

  // Each thread connects one device and leaves it connected.
  std::vector<std::unique_ptr<Device>> devices(count);
  std::vector<std::string> errors(count);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i)
      threads.emplace_back([&, i] {
        try {
          devices[i] = std::make_unique<Device>(world.device(identities[i]));
          devices[i]->join("client-" + std::to_string(i), i % 2 ? mqtt::v5 : mqtt::v311);
          // Only the user of that name may write there: a message by any other would not arrive.
          devices[i]->publish("only/" + identities[i].name + "/t", "from " + std::to_string(i), 1);
        } catch (const std::exception& e) {
          errors[i] = e.what();
        }
      });
  }
  for (int i = 0; i < count; ++i) REQUIRE(errors[i] == "");

  std::map<std::string, std::string> seen;
  for (int i = 0; i < count; ++i) {
    const auto message = observer.next_message();
    seen[message.topic] = message.payload;
  }
  for (int i = 0; i < count; ++i) {
    CHECK(world.remote->user_of("client-" + std::to_string(i)) == identities[i].name);
    CHECK(seen["only/" + identities[i].name + "/t"] == "from " + std::to_string(i));
    devices[i]->ping();
  }
}

TEST_CASE("a device cannot publish as another device") {
  World world;
  const auto honest = device_identity("p256", 1), forger = device_identity("p256", 2);
  world.give_key("honest", honest);
  world.give_key("forger", forger);
  auto observer = world.direct(device_identity("p256", 99));
  observer.join("observer");
  REQUIRE(observer.subscribe("only/#", 1) == 1);
  auto bad = world.device(forger);
  bad.join("forger");
  bad.publish("only/" + honest.name + "/t", "forged");
  world.remote->log().wait_text("Denied PUBLISH from forger");
  auto good = world.device(honest);
  good.join("honest");
  good.publish("only/" + honest.name + "/t", "true", 1);
  CHECK(observer.next_message().payload == "true");
}

TEST_CASE("the remote receives exactly the chain that the device sent") {
  World world({.remote = RemoteKind::captured});
  for (const auto& type : key_types) {
    CAPTURE(type);
    const auto identity = device_identity(type, 1);
    world.give_key("client-" + type, identity);
    auto device = world.device(identity);
    device.tls().send(mqtt::connect({.client_id = "client-" + type}));
    const auto remote = world.captured->accept();
    const auto chain = chain_in(identity.certificate);
    REQUIRE(chain.size() == 2);
    CHECK(remote.peer_chain() == chain);
  }
}
