// Asks the running relayd through its control socket (relayd/supervisor/control.h). ask() and ask_for_feeds() block.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/operator/command_failed.h"
#include "common/units.h"

namespace relayd::admin {

using Json = nlohmann::ordered_json;

// No relayd answers there, or this user may not ask it.
struct Unavailable : common::CommandFailed {
  explicit Unavailable(const std::string& what) : CommandFailed(what, common::kExitUnavailable) {}
};

// One worker's feed (relayd/handover/feed.h).
struct FeedSocket {
  int worker = 0, generation = 0, pid = 0;
  common::Fd socket = {};
};
struct FeedSockets {
  std::vector<FeedSocket> feeds;
  size_t missing = 0;  // workers that relayd could not ask
};

// A request, and its answer as it comes.
class Question {
 public:
  enum class Wait : uint8_t { no, yes };

  // Connects and sends. Each system call waits for `patience` at most; connecting waits only if many commands ask at
  // once. Throws Unavailable naming the path, the cause and the remedy.
  Question(std::string path, const Json& request, common::Milliseconds patience);

  int descriptor() const { return socket_.get(); }  // readable: receive() has something to do
  // Receives a piece. True: nothing more will come. Throws Unavailable.
  bool receive(Wait wait);
  // The whole answer. Throws Unavailable if it is none; std::runtime_error with relayd's own words if it refuses.
  Json answer() const;
  FeedSockets feeds();  // those of an answer with feeds, once

 private:
  [[noreturn]] void fail(int error) const;

  const std::string path_;
  const common::Milliseconds patience_;
  common::Fd socket_;
  std::string text_;
  std::vector<common::Fd> attached_;
};

// The answer to `request`. Throws as Question does.
Json ask(const std::string& socket, const Json& request, common::Milliseconds patience);
// The same for a request that is answered with feeds. Calls allow_descriptors().
FeedSockets ask_for_feeds(const std::string& socket, const Json& request, common::Milliseconds patience);

// Raises this process's limit of descriptors as far as it may: there is a feed for each worker.
void allow_descriptors();

}  // namespace relayd::admin
