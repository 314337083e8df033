// Who follows which device in this worker (`mqtt-relay trace`). A session looks here once, when its client id is known,
// and is told when that changes. One thread.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace relayd {

struct Follower {
  std::string client_id;
  bool topics = false;
  void* owner = nullptr;
  void (*take)(void* owner, std::string_view line) = nullptr;  // must end no session, and follow nobody
};

class Traces {
 public:
  void add(const Follower* follower) { followers_.push_back(follower); }
  void remove(const Follower* follower) { std::erase(followers_, follower); }
  bool follow(std::string_view client_id) const {
    return std::ranges::any_of(followers_, [&](const Follower* one) { return one->client_id == client_id; });
  }
  // `line` is for those that want no topics, `with_topics` for the others.
  void tell(std::string_view client_id, std::string_view line, std::string_view with_topics) const {
    for (const Follower* one : followers_)
      if (one->client_id == client_id) one->take(one->owner, one->topics ? with_topics : line);
  }

 private:
  std::vector<const Follower*> followers_;
};

}  // namespace relayd
