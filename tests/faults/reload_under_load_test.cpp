// relayd reloads its configuration and certificates while a fleet publishes and new devices keep connecting.

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>

#include <atomic>
#include <thread>

#include "tests/faults/stage.h"
#include "tests/integration/harness/catch.h"

using namespace faults;
namespace mqtt = harness::mqtt;

namespace {

// New devices, one after the other, each with a handshake, a message and a DISCONNECT, until stopped.
class Newcomers {
 public:
  explicit Newcomers(Stage& stage)
      : stage_(stage), identity_(harness::device_identity("p256", 1)), thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested()) come();
        }) {}

  // Waits until `count` more have been served; rethrows failures of the thread.
  void wait(size_t count) {
    const auto enough = served_ + count;
    stage_.fleet().wait_for([&](const Figures&) { return served_ >= enough || failed_; }, "newcomers were served",
                            stage_.patience());
  }
  size_t finish() {
    thread_.request_stop();
    thread_.join();
    for (const auto& failure : failures_) FAIL_CHECK(failure);
    return served_;
  }

 private:
  void come() {
    const auto id = "newcomer-" + std::to_string(served_.load());
    try {
      stage_.world().give_key(id, identity_);
      auto device = stage_.world().device(identity_);
      device.join(id, served_ % 2 ? mqtt::v5 : mqtt::v311);
      device.publish("any/newcomers", "1", 1);
      device.disconnect();
      ++served_;
    } catch (const std::exception& error) {
      if (failures_.size() < 5) failures_.push_back(id + ": " + error.what());
      failed_ = true;
    }
  }

  Stage& stage_;
  const harness::Identity identity_;
  std::atomic<size_t> served_ = 0;
  std::atomic<bool> failed_ = false;
  std::vector<std::string> failures_;
  std::jthread thread_;
};

Json reload(Stage& stage, const std::string& outcome) {
  const auto mark = stage.relay().log().mark();
  stage.relay().relayd().signal(SIGHUP);
  return stage.relay().log().wait_json([&](const Json& j) { return j.value("msg", "") == outcome; }, outcome, mark,
                                       stage.patience());
}

template <typename T, void (*free)(T*)>
struct Free {
  void operator()(T* what) const { free(what); }
};
using Certificate = std::unique_ptr<X509, Free<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
using File = std::unique_ptr<BIO, Free<BIO, BIO_free_all>>;

// The same certificate with another serial number, signed again, as a renewal with the same key gives. keyd has one
// listener key, so a new key would mean a moment in which certificate and key do not match.
void renew(const std::string& file) {
  const auto root_key = harness::authorities().root.parent_path() / "root.key";
  const File in(BIO_new_file(file.c_str(), "r")), key_file(BIO_new_file(root_key.c_str(), "r"));
  const Certificate certificate(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  const Key key(PEM_read_bio_PrivateKey(key_file.get(), nullptr, nullptr, nullptr));
  REQUIRE(certificate);
  REQUIRE(key);
  auto* serial = X509_get_serialNumber(certificate.get());
  ASN1_INTEGER_set(serial, ASN1_INTEGER_get(serial) % 1'000'000 + 17);
  REQUIRE(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  const auto scratch = file + ".new";
  {
    const File out(BIO_new_file(scratch.c_str(), "w"));
    REQUIRE(PEM_write_bio_X509(out.get(), certificate.get()) == 1);
  }
  harness::fs::rename(scratch, file);
}

std::string shown_certificate(Stage& stage) {
  return stage.world().device(harness::device_identity("p256", 1)).tls().peer_chain().at(0);
}

}  // namespace

TEST_CASE("ten reloads under load disturb no session, and no new device is refused meanwhile") {
  Stage stage;
  Newcomers newcomers(stage);
  for (int generation = 2; generation <= 11; ++generation) {
    newcomers.wait(2);
    CHECK(reload(stage, "relayd reloaded").at("generation") == generation);
  }
  newcomers.wait(2);
  const auto served = newcomers.finish();
  CHECK(stage.finish().disturbed == 0);
  print_figures("new devices served during ten reloads " + std::to_string(served) + ", refused 0");
}

TEST_CASE("after a listener certificate is renewed under load, the next device sees it, and no connection is lost") {
  Stage stage;
  const auto file = stage.world().directory / "relay/certificates/listener.pem";
  Newcomers newcomers(stage);
  auto shown = shown_certificate(stage);
  for (int i = 0; i < 3; ++i) {
    renew(file);
    newcomers.wait(2);
    CHECK(shown_certificate(stage) == shown);
    reload(stage, "relayd reloaded");
    const auto now = shown_certificate(stage);
    CHECK(now != shown);
    shown = now;
  }
  newcomers.wait(2);
  newcomers.finish();
  CHECK(stage.finish().disturbed == 0);
}

TEST_CASE("a failed reload under load changes nothing and is reported") {
  Stage stage;
  Newcomers newcomers(stage);
  const auto workers = stage.relay().workers();
  const auto certificate = (stage.world().directory / "relay/certificates/listener.pem").string();
  const auto refuse = [&](const std::string& file, const std::string& content) {
    const auto good = harness::read_file(file);
    harness::write_file(file, content);
    const auto cause = reload(stage, "reload failed; nothing has changed").at("cause").get<std::string>();
    CAPTURE(cause);
    CHECK(cause.find(file) != std::string::npos);
    harness::write_file(file, good);
    newcomers.wait(2);
  };
  refuse(stage.relay().relayd_configuration(), "{ \"remote_host\": ");
  refuse(certificate, "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n");
  CHECK(stage.relay().workers() == workers);
  reload(stage, "relayd reloaded");
  newcomers.wait(2);
  newcomers.finish();
  CHECK(stage.finish().disturbed == 0);
}
