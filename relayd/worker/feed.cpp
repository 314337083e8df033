#include "relayd/worker/feed.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "common/json_line.h"

namespace relayd {

namespace {
// A list goes on once so little waits.
constexpr size_t kFewWaiting = 32 * 1024;
}  // namespace

Feed::Feed(uv_loop_t* loop, common::Fd socket, More more, void* owner, Ended ended, common::Milliseconds patience)
    : socket_(std::move(socket)),
      more_(std::move(more)),
      is_list_(more_ != nullptr),
      owner_(owner),
      ended_(ended),
      most_patience_(patience),
      patience_(loop, this, common::call<&Feed::give_up>),
      poll_(loop, socket_.get(), this, common::call<&Feed::on_ready>) {
  poll_.set_patient(true);
  watch();
}

// Room for more proves that the reader has taken something.
void Feed::watch() {
  const bool writes = more_ || !waiting_.empty();
  poll_.watch(writes ? UV_READABLE | UV_WRITABLE : UV_READABLE);
  if (writes) patience_.start(most_patience_);
  else patience_.stop();
}

void Feed::add(std::string_view line) {
  say_dropped();
  if (dropped_ > 0 || line.size() > kMaxFeedLine || waiting_.size() + line.size() > kMostWaiting) {
    dropped_++;
    return;
  }
  waiting_ += line;
  if (!patience_.running()) watch();
}

void Feed::say_dropped() {
  if (dropped_ == 0 || waiting_.size() > kFewWaiting) return;
  waiting_ += std::move(common::JsonLine().add("dropped", std::exchange(dropped_, 0))).finish();
}

void Feed::on_ready(int events) {
  if ((events & UV_READABLE) && reader_left()) return give_up();
  if (more_ && waiting_.size() < kFewWaiting && !more_(waiting_)) more_ = nullptr;
  say_dropped();
  if (!send()) return give_up();
  if (is_list_ && !more_ && waiting_.empty()) return give_up();
  watch();
}

// The reader says nothing, so whatever it sends is of no interest.
bool Feed::reader_left() {
  char bytes[256];
  const ssize_t got = ::recv(socket_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

// False: the reader has left.
bool Feed::send() {
  if (waiting_.empty()) return true;
  const ssize_t sent = ::send(socket_.get(), waiting_.data(), waiting_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
  if (sent > 0) waiting_.erase(0, static_cast<size_t>(sent));
  return true;
}

}  // namespace relayd
