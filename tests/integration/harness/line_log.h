// What a process writes to one descriptor, line by line, drained all the time so that it never blocks its writer.
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
  // Takes the read end of a pipe; `name` is what failures call it.
  LineLog(int fd, std::string name);
  ~LineLog();
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;

  // All that has been written when this is called, the bytes still in the pipe included.
  std::vector<std::string> lines();
  std::string text();
  // A place in the log: what is written from now on.
  size_t mark() { return lines().size(); }

  // The first line from `mark` on that fits; a Failure with the log's tail if none comes in time.
  std::string wait(const LinePredicate& fits, const std::string& what, size_t mark = 0, Deadline deadline = patience());
  std::string wait_text(std::string_view part, size_t mark = 0, Deadline deadline = patience());
  // The same over lines that are JSON objects.
  Json wait_json(const JsonPredicate& fits, const std::string& what, size_t mark = 0, Deadline deadline = patience());
  std::vector<Json> json(const JsonPredicate& fits = {}, size_t mark = 0);
  // Waits until the last process that could write here is gone.
  void wait_end(Deadline deadline = patience());
  size_t count_text(std::string_view part, size_t mark = 0);

 private:
  void drain();  // with mutex_ held
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
