#include "keyd/vault/signer_pool.h"

#include <utility>

namespace keyd {

SignerPool::SignerPool(uv_loop_t& loop, size_t signers, Work work, Done done)
    : work_(std::move(work)), done_(std::move(done)) {
  uv_async_init(&loop, &wake_, [](uv_async_t* wake) { static_cast<SignerPool*>(wake->data)->collect(); });
  uv_idle_init(&loop, &idle_);
  wake_.data = idle_.data = this;
  try {
    for (const Queue only : {quick, sealed}) start(only);
    for (size_t i = 0; i < signers; i++) start(slow);
  } catch (...) {
    stop();
    throw;
  }
}

void SignerPool::start(Queue serves) {
  std::promise<void> ready;
  threads_.emplace_back([this, serves, &ready] {
    std::optional<Signer> signer;
    try {
      lock_stack();
      signer.emplace();
      ready.set_value();
    } catch (...) {
      return ready.set_exception(std::current_exception());
    }
    run(*signer, serves);
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
  for (auto& wake : for_) wake.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&idle_), nullptr);
}

void SignerPool::submit(JobPtr job, Queue queue) {
  if (queue == at_once) {  // not now: first the loop collects one job of each connection
    at_once_.push(std::move(job));
    uv_idle_start(&idle_, [](uv_idle_t* idle) { static_cast<SignerPool*>(idle->data)->run_at_once(); });
    return;
  }
  {
    const std::lock_guard guard(mutex_);
    waiting_[queue].push(std::move(job));
  }
  for_[queue].notify_one();
}

void SignerPool::run(Signer& signer, Queue serves) {
  while (true) {
    std::unique_lock lock(mutex_);
    for_[serves].wait(lock, [&] { return stopping_ || !waiting_[serves].empty(); });
    if (stopping_) return;
    JobPtr job = waiting_[serves].pop();
    lock.unlock();
    if (!attend(job, signer, serves)) continue;
    lock.lock();
    finished_.push_back(std::move(job));
    lock.unlock();
    uv_async_send(&wake_);
  }
}

void SignerPool::run_at_once() {
  uv_idle_stop(&idle_);
  std::vector<JobPtr> mine;
  while (!at_once_.empty()) {
    JobPtr job = at_once_.pop();
    if (mine.size() < kMostAtOnce) mine.push_back(std::move(job));
    else submit(std::move(job), quick);
  }
  for (JobPtr& job : mine)
    if (attend(job, own_, at_once)) done_(std::move(job));
}

// False: the job now waits elsewhere.
bool SignerPool::attend(JobPtr& job, Signer& signer, Queue from) {
  const uint64_t started = uv_hrtime();
  const auto elsewhere = job->given_up() ? std::nullopt : work_(*job, signer, from);
  job->spent_us += (uv_hrtime() - started) / 1000;
  if (elsewhere) submit(std::move(job), *elsewhere);
  return !elsewhere;
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
