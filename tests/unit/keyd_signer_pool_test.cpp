// The order of signing: workers take turns, and RSA delays no worker's ECDSA.
#include "keyd/vault/signer_pool.h"

#include <algorithm>

#include "keyd_support.h"

using namespace keyd;
using namespace keyd_test;
using witness::Form;
using witness::Key;

namespace {

constexpr uint64_t kFlooder = 1, kOther = 2;

class Pool {
 public:
  explicit Pool(size_t threads) {
    uv_loop_init(&loop_);
    const auto work = [this](Job& job, Signer& signer, SignerPool::Queue from) -> std::optional<SignerPool::Queue> {
      if (job.connection == kUncached && from == SignerPool::at_once) return SignerPool::quick;
      job.wait_us = std::this_thread::get_id() == loop_thread_;
      if (job.connection == kSealed && from != SignerPool::sealed) return SignerPool::sealed;
      const auto size = signer.sign(*keys_.at(job.id), job.to_sign, job.signature);
      job.outcome.payload = std::span(job.signature).first(size.value_or(0));
      return std::nullopt;
    };
    pool_.emplace(loop_, threads, work, [this](JobPtr job) {
      CHECK(!job->outcome.payload.empty());
      done.push_back(job->peer.lane);
      (job->wait_us ? here : elsewhere)++;
    });
  }
  ~Pool() {
    pool_->stop();
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
  }
  void submit(uint64_t worker, uint32_t key, ipc::Scheme scheme, uint64_t connection = 0, bool at_once = false) {
    auto job = std::make_unique<Job>();
    job->peer.lane = worker;
    job->id = key;
    job->connection = connection;
    job->accepted_ns = uv_hrtime();
    job->to_sign.kind = ipc::Kind::tls13_client;
    job->to_sign.scheme = scheme;
    job->to_sign.content = content_;
    const bool rsa = keys_.at(key)->info().type == KeyType::rsa;
    pool_->submit(std::move(job), rsa ? SignerPool::slow : at_once ? SignerPool::at_once : SignerPool::quick);
  }
  void submit_at_once(uint64_t worker, uint32_t key, uint64_t connection = 0) {
    submit(worker, key, ipc::Scheme::ecdsa_sha256, connection, true);
  }
  void run_once() { uv_run(&loop_, UV_RUN_NOWAIT); }
  void run_until(size_t count) {
    while (done.size() < count) uv_run(&loop_, UV_RUN_ONCE);
  }
  // Its number. Call before the first submission.
  uint32_t key(const std::string& type) {
    std::string problem;
    keys_.push_back(parse(Key::generate(type).text(Form::pkcs8), vault_, problem));
    return static_cast<uint32_t>(keys_.size() - 1);
  }
  long position_of(uint64_t worker) const { return std::find(done.begin(), done.end(), worker) - done.begin(); }

  std::vector<uint64_t> done;      // the sender of each job, in order
  size_t here = 0, elsewhere = 0;  // jobs done on the loop's thread, and on others

  static constexpr uint64_t kSealed = 1, kUncached = 2;  // a job's connection: its key is encrypted, or not cached

 private:
  const std::thread::id loop_thread_ = std::this_thread::get_id();
  Vault vault_;
  std::vector<std::shared_ptr<PrivateKey>> keys_;
  uv_loop_t loop_{};
  std::vector<uint8_t> content_ = std::vector<uint8_t>(32, 7);
  std::optional<SignerPool> pool_;
};

}  // namespace

TEST_CASE("every job comes back signed, whatever the number of threads", "[keyd][pool]") {
  for (const size_t threads : {1u, 4u}) {
    Pool pool(threads);
    const auto rsa = pool.key("RSA:2048"), ec = pool.key("P-256"), ed = pool.key("ED25519");
    for (uint64_t i = 0; i < 40; i++) {
      pool.submit(i % 3, rsa, ipc::Scheme::rsa_pss_rsae_sha256);
      pool.submit(i % 5, ec, ipc::Scheme::ecdsa_sha256);
      pool.submit(i % 7, ed, ipc::Scheme::ed25519);
    }
    pool.run_until(120);
    CHECK(pool.done.size() == 120);
  }
}

TEST_CASE("a worker with one job waits for one turn, not for another's queue", "[keyd][pool]") {
  Pool pool(1);
  const auto key = pool.key("RSA:2048");
  for (int i = 0; i < 30; i++) pool.submit(kFlooder, key, ipc::Scheme::rsa_pss_rsae_sha256);
  pool.submit(kOther, key, ipc::Scheme::rsa_pss_rsae_sha256);
  pool.run_until(31);
  // It comes after the job that the thread had begun and one more turn, however far the thread got before the last
  // submission.
  CHECK(pool.position_of(kOther) < 25);
}

TEST_CASE("a short job with a cached key is done on the loop's thread, and the lanes take turns there",
          "[keyd][pool]") {
  Pool pool(1);
  const auto key = pool.key("P-256");
  for (int i = 0; i < 5; i++) pool.submit_at_once(kFlooder, key);
  pool.submit_at_once(kOther, key);
  CHECK(pool.done.empty());  // not in the middle of submit(), and not before the other connections are read
  pool.run_once();
  CHECK(pool.here == 6);
  CHECK(pool.position_of(kOther) <= 1);
}

TEST_CASE("the loop's thread leaves to the pool keys that must be read, and more than 8 jobs at a time",
          "[keyd][pool]") {
  static_assert(SignerPool::kMostAtOnce == 8);
  Pool pool(1);
  const auto key = pool.key("P-256");
  pool.submit_at_once(kOther, key, Pool::kUncached);
  for (uint64_t i = 0; i < 12; i++) pool.submit_at_once(kOther + 1 + i, key);
  pool.run_until(13);
  CHECK(pool.here == 7);
  CHECK(pool.elsewhere == 6);
}

TEST_CASE("a flood of RSA from many workers delays no short job by a turn of the pool", "[keyd][pool]") {
  Pool pool(1);
  const auto slow = pool.key("RSA:4096"), quick = pool.key("P-256");
  for (uint64_t i = 0; i < 20; i++) pool.submit(kOther + 1 + i, slow, ipc::Scheme::rsa_pss_rsae_sha256);
  pool.submit_at_once(kOther, quick);
  pool.run_once();
  CHECK(pool.position_of(kOther) < static_cast<long>(pool.done.size()));
  pool.run_until(21);
}

TEST_CASE("ECDSA does not wait behind a flood of RSA", "[keyd][pool]") {
  Pool pool(2);
  const auto slow = pool.key("RSA:4096"), quick = pool.key("P-256");
  // The flood comes from many workers: if they only took turns, the other worker's last job would come at the end.
  for (uint64_t i = 0; i < 40; i++) pool.submit(kOther + 1 + i % 20, slow, ipc::Scheme::rsa_pss_rsae_sha256);
  for (int i = 0; i < 10; i++) pool.submit(kOther, quick, ipc::Scheme::ecdsa_sha256);
  pool.run_until(50);
  const auto last = std::find(pool.done.rbegin(), pool.done.rend(), kOther);
  CHECK(pool.done.rend() - last < 40);
}

TEST_CASE("threads that sign with one key at the same time make correct signatures", "[keyd][pool]") {
  Pool pool(4);
  const auto key = pool.key("P-384");
  for (uint64_t i = 0; i < 200; i++) pool.submit(i, key, ipc::Scheme::ecdsa_sha384);
  pool.run_until(200);
  CHECK(pool.done.size() == 200);
}

TEST_CASE("jobs whose keys are encrypted have a thread of their own, and lanes take turns there too", "[keyd][pool]") {
  Pool pool(1);
  const auto slow = pool.key("RSA:4096"), quick = pool.key("P-256");
  for (int i = 0; i < 30; i++) pool.submit(kFlooder, slow, ipc::Scheme::rsa_pss_rsae_sha256, Pool::kSealed);
  pool.submit(kOther + 1, slow, ipc::Scheme::rsa_pss_rsae_sha256, Pool::kSealed);
  for (int i = 0; i < 10; i++) pool.submit(kOther, quick, ipc::Scheme::ecdsa_sha256);
  pool.run_until(41);
  CHECK(pool.position_of(kOther + 1) < 36);
  const auto last = std::find(pool.done.rbegin(), pool.done.rend(), kOther);
  CHECK(pool.done.rend() - last < 36);
}
