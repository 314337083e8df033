// The monitor's only source of data: asks the supervisor for its status, for any number of threads at once.
//
// get() returns the answer to a question that was asked after the call, so a client sees what happened before its
// request. Callers that wait at the same time share one question, and there are at most 40 questions a second, so the
// clients can't keep the supervisor busy.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace relayd::monitor {

class StatusSource {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kBetweenQuestions{25}, kPatience{2000};

  explicit StatusSource(int socket) : socket_(socket) {}

  // The supervisor's status as JSON text; nullopt if there is no answer after kPatience. Any thread.
  std::optional<std::string> get();

 private:
  std::optional<std::string> ask(uint32_t number, Clock::time_point deadline) const;
  bool send_question(uint32_t number, Clock::time_point deadline) const;

  const int socket_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t begun_ = 0, ended_ = 0;  // questions
  std::optional<std::string> answer_;
  Clock::time_point next_{};  // when the next question may be asked
};

}  // namespace relayd::monitor
