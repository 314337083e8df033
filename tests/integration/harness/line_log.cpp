#include "tests/integration/harness/line_log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace harness {

[[noreturn]] void fail_errno(const std::string& what) { throw Failure(what + ": " + std::strerror(errno)); }

LineLog::LineLog(int fd, std::string name) : fd_(fd), name_(std::move(name)) {
  fcntl(fd_, F_SETFL, O_NONBLOCK);
  reader_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

LineLog::~LineLog() {
  reader_.request_stop();
  reader_.join();
  close(fd_);
}

void LineLog::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd p{fd_, POLLIN, 0};
    // The timeout bounds the time until a stop is noticed.
    if (poll(&p, 1, 20) <= 0) continue;
    std::lock_guard lock(mutex_);
    drain();
    if (ended_) return;
  }
}

void LineLog::drain() {
  char buffer[16384];
  while (!ended_) {
    const ssize_t n = read(fd_, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) {
      ended_ = true;
      if (!partial_.empty()) lines_.push_back(std::move(partial_));
      partial_.clear();
      break;
    }
    partial_.append(buffer, static_cast<size_t>(n));
    size_t start = 0;
    for (size_t end; (end = partial_.find('\n', start)) != std::string::npos; start = end + 1)
      lines_.push_back(partial_.substr(start, end - start));
    partial_.erase(0, start);
  }
  changed_.notify_all();
}

std::vector<std::string> LineLog::lines() {
  std::lock_guard lock(mutex_);
  drain();
  return lines_;
}

std::string LineLog::text() {
  std::string all;
  for (const auto& line : lines()) all += line + "\n";
  return all;
}

std::string LineLog::wait(const LinePredicate& fits, const std::string& what, size_t mark, Deadline deadline) {
  std::unique_lock lock(mutex_);
  size_t next = mark;
  for (;;) {
    for (; next < lines_.size(); ++next)
      if (fits(lines_[next])) return lines_[next];
    if (ended_ || deadline.over()) break;
    changed_.wait_until(lock, deadline.at());
  }
  std::string tail;
  for (size_t i = lines_.size() > 30 ? lines_.size() - 30 : 0; i < lines_.size(); ++i) tail += "  " + lines_[i] + "\n";
  throw Failure(name_ + (ended_ ? " ended" : " went on") + " without writing " + what + "; its last lines:\n" + tail);
}

void LineLog::wait_end(Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_until(lock, deadline.at(), [this] { return ended_; }))
    throw Failure(name_ + " is still open in another process");
}

std::string LineLog::wait_text(std::string_view part, size_t mark, Deadline deadline) {
  return wait([part](const std::string& line) { return line.find(part) != line.npos; }, "\"" + std::string(part) + "\"",
              mark, deadline);
}

Json LineLog::wait_json(const JsonPredicate& fits, const std::string& what, size_t mark, Deadline deadline) {
  const auto line = wait(
      [&](const std::string& text) {
        const auto value = Json::parse(text, nullptr, false);
        return value.is_object() && fits(value);
      },
      what, mark, deadline);
  return Json::parse(line);
}

std::vector<Json> LineLog::json(const JsonPredicate& fits, size_t mark) {
  std::vector<Json> found;
  const auto all = lines();
  for (size_t i = mark; i < all.size(); ++i) {
    auto value = Json::parse(all[i], nullptr, false);
    if (value.is_object() && (!fits || fits(value))) found.push_back(std::move(value));
  }
  return found;
}

size_t LineLog::count_text(std::string_view part, size_t mark) {
  size_t count = 0;
  const auto all = lines();
  for (size_t i = mark; i < all.size(); ++i) count += all[i].find(part) != std::string::npos;
  return count;
}

}  // namespace harness
