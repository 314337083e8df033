#include "keyd/vault/signer_pool.h"

#include <utility>

namespace keyd {
namespace {

bool is_quick(const Job& job) { return job.key->info().type != KeyType::rsa; }

}  // namespace

void SignerPool::Lanes::push(JobPtr job) { lanes_[job->peer.lane].push_back(std::move(job)); }

JobPtr SignerPool::Lanes::pop() {
  auto lane = lanes_.upper_bound(last_);
  if (lane == lanes_.end()) lane = lanes_.begin();
  last_ = lane->first;
  JobPtr job = std::move(lane->second.front());
  lane->second.pop_front();
  if (lane->second.empty()) lanes_.erase(lane);
  return job;
}

SignerPool::SignerPool(uv_loop_t& loop, size_t threads, RecentHandshakes& handshakes, Done done)
    : handshakes_(handshakes), done_(std::move(done)) {
  uv_async_init(&loop, &wake_, [](uv_async_t* wake) { static_cast<SignerPool*>(wake->data)->collect(); });
  wake_.data = this;
  try {
    for (size_t i = 0; i <= threads; i++) start(/*only_quick=*/i == 0);
  } catch (...) {
    stop();
    throw;
  }
}

void SignerPool::start(bool only_quick) {
  std::promise<void> ready;
  threads_.emplace_back([this, only_quick, &ready] {
    std::optional<Signer> signer;
    try {
      lock_stack();
      signer.emplace();
      ready.set_value();
    } catch (...) {
      return ready.set_exception(std::current_exception());
    }
    work(*signer, only_quick);
  });
  ready.get_future().get();
}

SignerPool::~SignerPool() { stop(); }

void SignerPool::stop() {
  if (threads_.empty()) return;
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  quick_work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
}

void SignerPool::submit(JobPtr job) {
  const bool quick = is_quick(*job);
  {
    const std::lock_guard guard(mutex_);
    (quick ? quick_ : slow_).push(std::move(job));
  }
  if (quick) quick_work_.notify_one();  // a slow thread that is awake may be faster
  else work_.notify_one();
}

// The next job for a thread. Ordinary threads take quick and slow jobs in turn, so that neither kind holds up the
// other.
JobPtr SignerPool::next(bool only_quick, bool& quick_turn) {
  std::unique_lock lock(mutex_);
  auto& wake = only_quick ? quick_work_ : work_;
  wake.wait(lock, [&] { return stopping_ || !quick_.empty() || (!only_quick && !slow_.empty()); });
  if (stopping_) return nullptr;
  quick_turn = !quick_turn;
  const bool take_quick = slow_.empty() || only_quick || (quick_turn && !quick_.empty());
  JobPtr job = (take_quick ? quick_ : slow_).pop();
  // There is another job: wake another thread for it.
  if (!quick_.empty() || !slow_.empty()) work_.notify_one();
  return job;
}

void SignerPool::work(Signer& signer, bool only_quick) {
  bool quick_turn = false;
  while (JobPtr job = next(only_quick, quick_turn)) {
    const uint64_t started = uv_hrtime();
    if (!job->given_up()) sign(*job, signer);
    job->wait_us += (started - job->accepted_ns) / 1000;
    job->spent_us = (uv_hrtime() - started) / 1000;
    {
      const std::lock_guard guard(mutex_);
      finished_.push_back(std::move(job));
    }
    uv_async_send(&wake_);
  }
}

void SignerPool::sign(Job& job, Signer& signer) {
  const ipc::Sign& asked = job.to_sign;
  if (asked.proof.presence != ipc::Presence::none)
    job.refusal = handshakes_.prove(job.peer.lane, asked, *job.key, signer, job.handshake);
  if (job.refusal) return;
  job.size = signer.sign(*job.key, asked, job.signature);
  if (job.size && asked.key.role == ipc::Role::listener)
    job.handshake =
        handshakes_.remember(job.peer.lane, asked.scheme, asked.content, std::span(job.signature).first(*job.size));
}

void SignerPool::collect() {
  std::vector<JobPtr> finished;
  {
    const std::lock_guard guard(mutex_);
    finished.swap(finished_);
  }
  for (JobPtr& job : finished) done_(std::move(job));
}

}  // namespace keyd
