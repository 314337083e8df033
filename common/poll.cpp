#include "common/poll.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

namespace common {
namespace {

// One for each loop of this thread that has Polls; nearly always one.
thread_local std::vector<Poller*> pollers;

constexpr uint32_t kEnded = EPOLLRDHUP | EPOLLHUP | EPOLLERR;  // the peer has closed, or the connection is lost

uint64_t end_of_patience() { return uv_hrtime() + uint64_t{std::chrono::nanoseconds(Poller::kPatience).count()}; }

}  // namespace

Poll::Poll(uv_loop_t* loop, int fd, void* owner, Callback callback)
    : poller_(Poller::of(loop)), fd_(fd), owner_(owner), callback_(callback) {}

// The description may live on in another process, and with it the registration (epoll(7)).
Poll::~Poll() {
  wanted_ = 0;
  register_wanted();
  poller_->forget(*this);
}

void Poll::watch(int events) {
  wanted_ = events;
  if (in_ended_) return;
  const int extra = registered_ & ~events;
  if ((events & ~registered_) != 0 || (extra & UV_WRITABLE) != 0) register_wanted();
}

void Poll::register_wanted() {
  if (wanted_ == registered_ || error_ != 0) return;
  error_ = poller_->change(wanted_ == 0 ? EPOLL_CTL_DEL : registered_ == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, *this);
  registered_ = wanted_;
}

// The kernel reports an error and a hang-up unasked. The descriptor may still have data: let the owner's system calls
// find what has happened.
void Poll::fire(uint32_t events) {
  int ready = 0;
  if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) ready |= UV_READABLE;
  if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) ready |= UV_WRITABLE;
  ready &= wanted_;
  if (ready != 0) callback_(owner_, ready);
  else if (!in_ended_) register_wanted();
}

Poller::Poller(uv_loop_t* loop) : loop_(loop), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  auto nested = std::make_unique<uv_poll_t>();
  if (const int error = uv_poll_init(loop, nested.get(), epoll_.get()); error != 0)
    throw std::system_error(-error, std::generic_category(), "uv_poll_init");
  nested_.reset(nested.release());
  nested_->data = this;
  uv_poll_start(nested_.get(), UV_READABLE, call_handle<uv_poll_t, &Poller::on_ready>);
  uv_unref(reinterpret_cast<uv_handle_t*>(nested_.get()));
  pollers.push_back(this);
}

Poller::~Poller() { std::erase(pollers, this); }

std::shared_ptr<Poller> Poller::of(uv_loop_t* loop) {
  const auto found = std::ranges::find(pollers, loop, &Poller::loop_);
  if (found != pollers.end()) return (*found)->self_.lock();
  auto poller = std::make_shared<Poller>(loop);
  poller->self_ = poller;
  return poller;
}

int Poller::change(int operation, Poll& poll) {
  epoll_event event{};
  if (poll.wanted_ & UV_READABLE) event.events |= EPOLLIN | EPOLLRDHUP;
  if (poll.wanted_ & UV_WRITABLE) event.events |= EPOLLOUT;
  event.data.ptr = &poll;
  if (epoll_ctl(epoll_.get(), operation, poll.fd_, &event) != 0) return errno;
  if (operation == EPOLL_CTL_MOD) return 0;
  registered_ += operation == EPOLL_CTL_ADD ? 1 : -1;
  if (!nested_) return 0;
  auto* handle = reinterpret_cast<uv_handle_t*>(nested_.get());
  registered_ > 0 ? uv_ref(handle) : uv_unref(handle);  // a loop with nothing to wait for ends
  return 0;
}

void Poller::forget(const Poll& poll) {
  for (size_t i = 0; i < count_; i++)
    if (events_[i].data.ptr == &poll) events_[i].data.ptr = nullptr;
  if (firing_ == &poll) firing_ = nullptr;
  else if (poll.in_ended_) std::erase(ended_, &poll);
}

// True if libuv's own descriptor is ready.
bool Poller::serve(int timeout) {
  const auto keep = self_.lock();  // a callback may destroy the last Poll
  const int got =
      epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), ended_.empty() ? timeout : 0);
  if (timeout != 0) uv_update_time(loop_);
  count_ = static_cast<size_t>(std::max(got, 0));
  bool libuv = false;
  for (size_t i = 0; i < count_; i++) {
    const epoll_event event = events_[i];
    if (event.data.ptr != this && (event.events & kEnded) == 0) continue;
    if (event.data.ptr == this) libuv = true;
    else set_aside(*static_cast<Poll*>(event.data.ptr));
    events_[i].data.ptr = nullptr;
  }
  fire_quick();
  fire_patient();
  fire_ended();
  return libuv;
}

void Poller::set_aside(Poll& poll) {
  const int wanted = std::exchange(poll.wanted_, 0);
  poll.register_wanted();
  poll.wanted_ = wanted;
  poll.in_ended_ = true;
  ended_.push_back(&poll);
}

void Poller::fire_quick() {
  for (size_t i = 0; i < count_; i++) {
    auto* poll = static_cast<Poll*>(events_[i].data.ptr);
    if (!poll || poll->patient_) continue;
    events_[i].data.ptr = nullptr;
    poll->fire(events_[i].events);
  }
}

// Those that are left are level-triggered: the next turn reports them again.
void Poller::fire_patient() {
  const uint64_t until = end_of_patience();
  for (size_t i = 0; i < count_; i++) {
    auto* poll = static_cast<Poll*>(events_[i].data.ptr);
    if (!poll) continue;
    events_[i].data.ptr = nullptr;
    poll->fire(events_[i].events);
    if (uv_hrtime() >= until) return;
  }
}

// Within uv_run(), the next turn comes only with an event. There, all are called in this turn, and none is kept.
void Poller::fire_ended() {
  const uint64_t until = end_of_patience();
  for (size_t left = ended_.size(); left > 0 && !ended_.empty(); left--) {
    firing_ = ended_.front();
    ended_.pop_front();
    firing_->fire(kEnded);
    if (Poll* const poll = std::exchange(firing_, nullptr)) {
      poll->in_ended_ = !nested_ && (poll->wanted_ & UV_READABLE);  // readable until the owner has read the end
      if (poll->in_ended_) ended_.push_back(poll);
      else poll->register_wanted();
    }
    if (!nested_ && uv_hrtime() >= until) return;
  }
}

void Poller::run(uv_loop_t* loop) {
  const auto poller = of(loop);
  poller->nested_.reset();
  epoll_event event{EPOLLIN, {poller.get()}};
  if (epoll_ctl(poller->epoll_.get(), EPOLL_CTL_ADD, uv_backend_fd(loop), &event) != 0)
    throw std::system_error(errno, std::generic_category(), "can't watch libuv's loop");
  while (!poller->stopping_) {
    const bool libuv = poller->serve(uv_backend_timeout(loop));
    // Timers that are due, handles that close, and changes that libuv has not yet told the kernel make this 0.
    if (libuv || uv_backend_timeout(loop) == 0) uv_run(loop, UV_RUN_NOWAIT);
  }
}

void Poller::stop(uv_loop_t* loop) { of(loop)->stopping_ = true; }

}  // namespace common
