// What an attacker in the notary gains: the power to answer keyd wrongly.
#include "test_paths.h"
#include "tests/captured/gateway.h"
#include "tests/integration/harness/keyd.h"

using namespace captured;
using namespace harness;

namespace {

// keyd alone, installed in a folder of its own. keyd's user, that of this test, may ask it.
class Notarized : public Captive {
 public:
  Notarized() {
    const fs::path build = fs::path(MQTT_RELAY_PROGRAMS).parent_path();
    fs::create_directory(folder_ / "bin");
    fs::create_directory(folder_ / "libexec");
    fs::copy_file(build / "bin/keyd", folder_ / "bin/keyd");
    fs::copy_file(fs::path(MQTT_RELAY_CAPTURED) / "captured_notary", folder_ / "libexec/mqtt-keyd-notary");
    keyd_.emplace(Json{{"bind_remote", {{"remote_host", "broker.example"}, {"cacertfile", authorities().root}}}},
                  folder_ / "bin/keyd");
    keyd_->give_key("device", key_);
    keyd_->start();
    client_.emplace(keyd_->socket());
  }

  ipc::Response sign(const std::string& command) {
    ipc::Request request = sign_request(++last_, key_, "device");
    auto& sign = std::get<ipc::Sign>(request.body);
    sign.kind = ipc::Kind::tls13_client_bound;
    // The frames of a ClientHello, with the command in it, and of a Certificate. keyd looks no further.
    const std::string transcript =
        std::string{'\x01', '\0', '\0', static_cast<char>(command.size())} + command + std::string("\x0b\0\0\0", 4);
    sign.content = {reinterpret_cast<const uint8_t*>(transcript.data()), transcript.size()};
    return client_->ask(request);
  }
  // keyd looks keys up, which it does without the notary.
  bool serves() { return client_->ask(lookup_request(++last_, key_, "device")).status == ipc::Status::ok; }
  Keyd& keyd() { return *keyd_; }

 private:
  // What keyd's audit says of the attack.
  std::string carry_out(const std::string& command) override {
    const auto mark = keyd_->process().out().mark();
    const auto answer = sign(command);
    const std::string reason =
        keyd_->process()
            .out()
            .wait_json([](const Json& line) { return line.value("event", "") == "sign"; }, "a line of the audit", mark)
            .value("reason", "");
    CHECK(answer.status != ipc::Status::ok);
    return reason.starts_with("captured: ") ? reason.substr(10) : reason;
  }
  std::vector<std::pair<std::string, pid_t>> pids() override { return {{"@keyd", keyd_->process().pid()}}; }
  void goes_on() override { CHECK(serves()); }

  const TempDir folder_;
  const TestKey key_ = TestKey::generate("P-256");
  std::optional<Keyd> keyd_;
  std::optional<KeydClient> client_;
  uint32_t last_ = 0;
};

}  // namespace

TEST_CASE("captured notary: it opens no file, makes no socket and no executable memory") {
  Notarized().attempt(files_sockets_and_code());
}

TEST_CASE("captured notary: it signals neither keyd nor its guardian") { Notarized().attempt(signals_to({"@keyd"})); }

TEST_CASE("captured notary: executing, forking or tracing kills it, and the guardian starts another") {
  Notarized gateway;
  const std::string keyd = std::to_string(gateway.keyd().process().pid());
  for (const std::string& attack :
       {std::string("execve /bin/true"), std::string("execve /proc/self/exe"), "ptrace " + keyd, "vm_read " + keyd}) {
    CAPTURE(attack);
    const auto mark = gateway.keyd().process().err().mark();
    CHECK(gateway.sign(attack).status == ipc::Status::internal);
    gateway.keyd().process().err().wait_text("the notary died and is restarted", mark);
    CHECK(gateway.attack("nothing") == "done");
    CHECK(gateway.serves());
  }
}

TEST_CASE("captured notary: answers to questions that keyd did not ask change nothing") {
  Notarized().attempt({{"lie", "done"}, {"nothing", "done"}, {"lie", "done"}});
}

TEST_CASE("captured notary: one that is silent costs its question, and keyd serves on") {
  Notarized gateway;
  CHECK(gateway.sign("silence").status == ipc::Status::internal);
  CHECK(gateway.serves());
  CHECK(gateway.attack("nothing") == "done");
}

TEST_CASE("captured notary: it changes neither the log nor its own protection") {
  Notarized gateway;
  gateway.attempt(log_and_protection());
  gateway.attempt({{"blocking 2", "EPERM"}, {"truncate 2", "EPERM"}, {"mount", "EPERM"}});
}
