// Questions to a real notary: lanes take turns, and a notary that hangs, dies or loses its guardian is noticed.
#include "keyd/vault/notary_client.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "catch.h"
#include "keyd/guardian/guardian.h"
#include "keyd_handshakes.h"

namespace {

using namespace keyd;

// The living child of that name (proc(5)). Waits for it: a process names itself once it runs.
pid_t child_of(pid_t parent, const std::string& name) {
  const std::string of_parent = "/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children";
  for (const uint64_t deadline = uv_hrtime() + 10'000'000'000; uv_hrtime() < deadline;) {
    std::ifstream children(of_parent);
    for (pid_t child; children >> child;) {
      std::string stat;
      std::getline(std::ifstream("/proc/" + std::to_string(child) + "/stat"), stat);
      if (stat.find("(" + name + ") ") != stat.npos && stat.find(") Z ") == stat.npos) return child;
    }
  }
  FAIL("there is no " << name);
  return -1;
}

class Asked {
 public:
  Asked() {
    uv_loop_init(&loop_);
    NotaryEnds ends = start_notary(
        {BoundRemote{{"broker.example"}, {}, {"/etc/ca.pem", root.pem(), "keyd.json: bind_remote.cacertfile"}}, {}});
    guardian = child_of(getpid(), "keyd-guardian");
    client.emplace(
        loop_, std::move(ends), [this](JobPtr job) { done.push_back(std::move(job)); },
        [this](const char* why) { failure = why; });
  }
  ~Asked() {
    client->stop();
    uv_run(&loop_, UV_RUN_DEFAULT);
    client.reset();
    uv_loop_close(&loop_);
    waitpid(guardian, nullptr, 0);
  }
  void ask(uint64_t lane, std::chrono::seconds patience = std::chrono::seconds(60)) {
    auto job = std::make_unique<Job>();
    job->peer.lane = lane;
    job->datagram = recorded.transcript();
    job->asked.kind = recorded.kind;
    job->asked.scheme = ipc::Scheme::ecdsa_sha256;
    job->asked.key.spki = device.spki();
    job->asked.content = job->datagram;
    job->to_sign = job->asked;
    job->deadline_ns = uv_hrtime() + static_cast<uint64_t>(std::chrono::nanoseconds(patience).count());
    client->ask(std::move(job));
  }
  template <typename Happened>
  void run_until(Happened happened) {
    while (!happened()) uv_run(&loop_, UV_RUN_ONCE);
  }
  pid_t notary() const { return child_of(guardian, "keyd-notary"); }

  witness::Certificate root = witness::authority("root");
  witness::Certificate device = witness::issue({.names = ""}, &root), server = witness::issue({}, &root);
  witness::Recorded recorded = witness::handshake({.server = {server}, .client = {device}});
  pid_t guardian = 0;
  std::optional<NotaryClient> client;
  std::vector<JobPtr> done;
  std::string failure;

 private:
  uv_loop_t loop_{};
};

}  // namespace

TEST_CASE("a worker's flood of questions to the notary delays another worker by a turn", "[keyd][notary]") {
  Asked asked;
  for (int i = 0; i < 200; i++) asked.ask(1);
  asked.ask(2);
  asked.run_until([&] { return asked.done.size() == 201; });
  const auto other =
      std::find_if(asked.done.begin(), asked.done.end(), [](const JobPtr& job) { return job->peer.lane == 2; });
  CHECK(other - asked.done.begin() < 8);
  for (const JobPtr& job : asked.done) {
    CHECK(job->outcome.status == ipc::Status::ok);
    CHECK(job->to_sign.content.size() == asked.recorded.hash_size);
  }
}

TEST_CASE("a notary that hangs is killed, its question ends, and the next notary answers", "[keyd][notary]") {
  Asked asked;
  const pid_t notary = asked.notary();
  REQUIRE(kill(notary, SIGSTOP) == 0);
  asked.ask(1);
  asked.ask(2);
  asked.ask(3);
  asked.run_until([&] { return asked.client->away(); });
  REQUIRE(asked.done.size() == 1);
  CHECK(asked.done[0]->outcome.status == ipc::Status::internal);
  CHECK(asked.done[0]->outcome.reason == "the notary gave no answer");
  asked.run_until([&] { return asked.done.size() == 3; });
  CHECK_FALSE(asked.client->away());
  for (size_t i : {1, 2}) CHECK(asked.done[i]->outcome.status == ipc::Status::ok);
  CHECK(asked.notary() != notary);
  CHECK(asked.failure.empty());
}

TEST_CASE("a notary that hangs without a question is noticed too", "[keyd][notary]") {
  Asked asked;
  REQUIRE(kill(asked.notary(), SIGSTOP) == 0);
  asked.run_until([&] { return asked.client->away(); });
  asked.run_until([&] { return !asked.client->away(); });
  asked.ask(1);
  asked.run_until([&] { return !asked.done.empty(); });
  CHECK(asked.done[0]->outcome.status == ipc::Status::ok);
}

TEST_CASE("a notary that dies costs the question that it was working on", "[keyd][notary]") {
  Asked asked;
  REQUIRE(kill(asked.notary(), SIGSTOP) == 0);
  for (uint64_t lane : {1, 2, 3}) asked.ask(lane);
  REQUIRE(kill(asked.notary(), SIGKILL) == 0);
  asked.run_until([&] { return asked.done.size() == 3; });
  CHECK(asked.done[0]->outcome.reason == "the notary died of this question");
  for (size_t i : {1, 2}) CHECK(asked.done[i]->outcome.status == ipc::Status::ok);
}

TEST_CASE("a guardian that dies, or does not restart its notary, is a failure", "[keyd][notary]") {
  Asked asked;
  SECTION("it dies") { REQUIRE(kill(asked.guardian, SIGKILL) == 0); }
  SECTION("it hangs") {
    const pid_t notary = asked.notary();
    REQUIRE(kill(asked.guardian, SIGSTOP) == 0);
    REQUIRE(kill(notary, SIGSTOP) == 0);
  }
  asked.run_until([&] { return !asked.failure.empty(); });
  kill(asked.guardian, SIGKILL);
  CHECK(asked.failure.find("the notary") == 0);
}
