#include "relayd/worker/feeds.h"

#include <sys/socket.h>

#include <algorithm>

#include "common/json_line.h"

namespace relayd {
namespace {

// Of a list, at a time: less than a millisecond of the loop's time.
constexpr size_t kSessionsAtATime = 128, kBytesAtATime = 64 * 1024;

std::string end_of_list(size_t sessions) {
  return std::move(common::JsonLine().add("end", 1).add("sessions", sessions)).finish();
}

// The part of a list that is still to be written.
struct Listing {
  std::vector<uint64_t> left;  // sessions; the list is of those that exist when it comes to them
  const FeedRequest request;
  uint32_t written = 0;

  bool wants(const Session& session) const {
    return request.client_id.empty() || matches(request.client_id, session.client_id());
  }
  bool is_full() const { return request.limit > 0 && written >= request.limit; }
};

}  // namespace

bool matches(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = pattern.npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      p++, t++;
    } else if (star != pattern.npos) {  // the last * takes one byte more
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == pattern.npos;
}

void Feeds::open(const FeedRequest& request, common::Fd socket) {
  if (!socket) return;
  if (feeds_.size() >= kMaxFeeds) {
    const std::string line =
        std::move(common::JsonLine().add(
                      "error", std::to_string(kMaxFeeds) + " such commands ask this worker already; end one of them"))
            .finish();
    [[maybe_unused]] const ssize_t sent = ::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return;
  }
  Open& open = *feeds_.emplace_back(std::make_unique<Open>());
  const bool traces = request.what == FeedRequest::What::trace;
  open.feed = std::make_unique<Feed>(loop_, std::move(socket), traces ? nullptr : lister(request), this,
                                     common::call<&Feeds::close>);
  if (!traces) return;
  open.follower = {request.client_id, request.topics, &open, common::call<&Open::take>};
  traces_.add(&open.follower);
  tell_sessions(request.client_id, true);
}

void Feeds::close(Feed& feed) {
  const auto found = std::ranges::find_if(feeds_, [&](const auto& open) { return open->feed.get() == &feed; });
  if (found == feeds_.end()) return;
  const std::unique_ptr<Open> open = std::move(*found);
  feeds_.erase(found);
  traces_.remove(&open->follower);
  if (open->follower.take) tell_sessions(open->follower.client_id, false);
}

void Feeds::tell_sessions(const std::string& client_id, bool greet) const {
  for (const auto& [id, session] : sessions_)
    if (session->client_id() == client_id) session->look_for_followers(greet);
}

Feed::More Feeds::lister(const FeedRequest& request) const {
  if (request.what == FeedRequest::What::session)
    return [this, id = request.session](std::string& lines) {
      if (const auto found = sessions_.find(id); found != sessions_.end())
        lines += found->second->facts(Session::Facts::all);
      lines += end_of_list(sessions_.size());
      return false;
    };
  Listing listing{.left = {}, .request = request};
  listing.left.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) listing.left.push_back(id);
  return [this, listing](std::string& lines) mutable {
    for (size_t i = 0; i < kSessionsAtATime && lines.size() < kBytesAtATime; i++) {
      if (listing.left.empty() || listing.is_full()) {
        lines += end_of_list(sessions_.size());
        return false;
      }
      const auto found = sessions_.find(listing.left.back());
      listing.left.pop_back();
      if (found == sessions_.end() || !listing.wants(*found->second)) continue;
      lines += found->second->facts(Session::Facts::usual);
      listing.written++;
    }
    return true;
  };
}

}  // namespace relayd
