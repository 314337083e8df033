// Collects what a process writes to one descriptor, by lines. A thread reads all the time, so the process never blocks.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/integration/harness/deadline.h"

namespace harness {

using Json = nlohmann::json;
using LinePredicate = std::function<bool(const std::string&)>;
using JsonPredicate = std::function<bool(const Json&)>;

class LineLog {
 public:
  // Takes ownership of the read end of a pipe. Failures call it `name`.
  LineLog(int fd, std::string name);
  ~LineLog();
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;

  // Everything written before the call, including bytes still in the pipe.
  std::vector<std::string> lines();
  std::string text();
  // A position in the log: everything written from now on lies after it.
  size_t mark() { return lines().size(); }

  // Returns the first line after `mark` that fits. Throws Failure with the end of the log if none arrives in time.
  std::string wait(const LinePredicate& fits, const std::string& what, size_t mark = 0, Deadline deadline = patience());
  std::string wait_text(std::string_view part, size_t mark = 0, Deadline deadline = patience());
  // The same for lines that are JSON objects.
  Json wait_json(const JsonPredicate& fits, const std::string& what, size_t mark = 0, Deadline deadline = patience());
  std::vector<Json> json(const JsonPredicate& fits = {}, size_t mark = 0);
  // Waits until the last process that can write here has exited.
  void wait_end(Deadline deadline = patience());
  size_t count_text(std::string_view part, size_t mark = 0);

 private:
  void drain();  // requires mutex_
  void run(const std::stop_token& stop);

  const int fd_;
  const std::string name_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  std::string partial_;
  bool ended_ = false;
  std::jthread reader_;
};

}  // namespace harness
