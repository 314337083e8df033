#include "relayd/monitor/status_source.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "common/datagram.h"
#include "common/fd.h"
#include "common/program.h"
#include "relayd/handover/monitor_question.h"
#include "relayd/monitor/ready.h"

namespace relayd::monitor {
namespace {

// An answer's number, and the memory file that came with it; if there is none, errno says why.
std::optional<std::pair<uint32_t, common::Fd>> receive(int socket) {
  uint32_t number = 0;
  common::Fd attached;
  const ssize_t got = common::receive_datagram(socket, {reinterpret_cast<char*>(&number), sizeof number}, attached);
  if (got < 0) return std::nullopt;
  errno = EPROTO;  // also when the supervisor has exited, which main() notices
  if (got != sizeof number || !attached) return std::nullopt;
  return std::pair(number, std::move(attached));
}

}  // namespace

std::optional<std::string> StatusSource::get() {
  const auto deadline = Clock::now() + kPatience;
  std::unique_lock lock(mutex_);
  const uint64_t wanted = begun_ + 1;  // the next question to begin
  while (ended_ < wanted) {
    if (begun_ > ended_) {
      if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) return std::nullopt;
      continue;
    }
    const auto at = std::max(next_, Clock::now());
    next_ = at + kBetweenQuestions;
    const uint64_t number = ++begun_;
    lock.unlock();
    std::this_thread::sleep_until(at);
    auto answer = ask(static_cast<uint32_t>(number), deadline);
    lock.lock();
    answer_ = std::move(answer);
    ended_ = number;
    changed_.notify_all();
  }
  return answer_;
}

std::optional<std::string> StatusSource::ask(uint32_t number, Clock::time_point deadline) const try {
  if (!send_question(number, deadline)) return std::nullopt;
  while (ready(socket_, POLLIN, deadline)) {
    const auto answer = receive(socket_);
    // Another number is a late answer to an earlier question.
    if (answer && answer->first == number) return common::read_sealed(answer->second.get());
    if (!answer && errno != EAGAIN && errno != EINTR) return std::nullopt;
  }
  return std::nullopt;
} catch (const std::exception&) {  // no memory: there is no status now, and the client gets 503
  return std::nullopt;
}

bool StatusSource::send_question(uint32_t number, Clock::time_point deadline) const {
  const MonitorQuestion question{number};
  while (ready(socket_, POLLOUT, deadline)) {
    if (::send(socket_, &question, sizeof question, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof question) return true;
    if (errno != EAGAIN && errno != EINTR) return false;
  }
  return false;
}

}  // namespace relayd::monitor
