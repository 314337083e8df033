#include "keyd/vault/signer_pool.h"

#include <utility>

namespace keyd {

SignerPool::SignerPool(uv_loop_t& loop, size_t ordinary, Work work, Done done)
    : work_(std::move(work)), done_(std::move(done)) {
  uv_async_init(&loop, &wake_, [](uv_async_t* wake) { static_cast<SignerPool*>(wake->data)->collect(); });
  wake_.data = this;
  try {
    for (const Queue only : {quick, sealed}) start(only);
    for (size_t i = 0; i < ordinary; i++) start(slow);
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
}

void SignerPool::submit(JobPtr job, Queue queue) {
  {
    const std::lock_guard guard(mutex_);
    waiting_[queue].push(std::move(job));
  }
  for_[queue].notify_one();  // a quick job: an ordinary thread that is awake may be faster
}

// The next job for a thread. Ordinary threads take quick and slow jobs in turn, so that neither kind holds up the
// other.
JobPtr SignerPool::next(Queue serves, bool& quick_turn, Queue& from) {
  std::unique_lock lock(mutex_);
  const auto has = [&](Queue queue) { return !waiting_[queue].empty(); };
  for_[serves].wait(lock, [&] { return stopping_ || has(serves) || (serves == slow && has(quick)); });
  if (stopping_) return nullptr;
  from = serves;
  if (serves == slow) {
    quick_turn = !quick_turn;
    if (!has(slow) || (quick_turn && has(quick))) from = quick;
  }
  JobPtr job = waiting_[from].pop();
  // There is another job: wake another thread for it.
  if (has(quick) || has(slow)) for_[slow].notify_one();
  return job;
}

void SignerPool::run(Signer& signer, Queue serves) {
  bool quick_turn = false;
  Queue from{};
  while (JobPtr job = next(serves, quick_turn, from)) {
    const uint64_t started = uv_hrtime();
    const auto elsewhere = job->given_up() ? std::nullopt : work_(*job, signer, from);
    job->spent_us += (uv_hrtime() - started) / 1000;
    if (elsewhere) {
      submit(std::move(job), *elsewhere);
      continue;
    }
    {
      const std::lock_guard guard(mutex_);
      finished_.push_back(std::move(job));
    }
    uv_async_send(&wake_);
  }
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
