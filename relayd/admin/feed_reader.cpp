#include "relayd/admin/feed_reader.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace relayd::admin {

using common::Milliseconds;
using std::chrono::duration_cast;

FeedReader::FeedReader(FeedSockets feeds, Kind kind, const Limits& limits) : kind_(kind), limits_(limits) {
  if (feeds.missing > 0) problems_.push_back(std::to_string(feeds.missing) + " of relayd's workers could not be asked");
  for (FeedSocket& feed : feeds.feeds) sources_.push_back({std::move(feed)});
}

FeedReader::Got FeedReader::next(Json& object, Milliseconds patience) {
  const auto until = Clock::now() + patience;
  for (bool looked = false;;) {
    for (size_t tried = 0; tried < sources_.size(); tried++) {
      Source& source = sources_[(turn_ + tried) % sources_.size()];
      if (!take_line(source, object)) continue;
      turn_ = (turn_ + tried) % sources_.size();
      from_ = &source.feed;
      return Got::line;
    }
    close_silent();
    if (std::ranges::none_of(sources_, [](const Source& source) { return bool{source.feed.socket}; })) return Got::over;
    const auto left = std::max(duration_cast<Milliseconds>(until - Clock::now()), Milliseconds(0));
    if ((looked && left == Milliseconds(0)) || !wait(left)) return Got::nothing;
    looked = true;
  }
}

// False: there is no whole line, or the feed has ended.
bool FeedReader::take_line(Source& source, Json& object) {
  while (source.feed.socket) {
    const size_t end = source.text.find('\n', source.at);
    const size_t size = std::min(end, source.text.size()) - source.at;
    if (size >= kMaxFeedLine)
      return fail(source, "sent a line of over " + std::to_string(kMaxFeedLine) + " bytes"), false;
    if (end == source.text.npos) {
      source.text.erase(0, std::exchange(source.at, 0));
      return false;
    }
    const std::string_view line = std::string_view(source.text).substr(source.at, size);
    source.at = end + 1;
    if (++source.lines > limits_.lines)
      return fail(source, "sent more than " + std::to_string(limits_.lines) + " lines"), false;
    if (take(source, line, object)) return true;
  }
  return false;
}

// True: `line` is for the caller.
bool FeedReader::take(Source& source, std::string_view line, Json& object) {
  object = Json::parse(line, nullptr, false);
  if (!object.is_object()) return fail(source, "sent a line that is not an object of JSON"), false;
  if (const auto error = object.find("error"); error != object.end() && error->is_string())
    return fail(source, "says: " + error->get<std::string>()), false;
  if (kind_ == Kind::live || !object.contains("end")) return true;
  if (const auto all = object.find("sessions"); all != object.end() && all->is_number_unsigned())
    sessions_ += all->get<uint64_t>();
  source.feed.socket.reset();
  return false;
}

// Takes no descriptors: recv(2) drops those that a worker might attach.
void FeedReader::receive(Source& source) {
  char bytes[65536];
  const ssize_t got = ::recv(source.feed.socket.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  source.heard = Clock::now();
  if (got > 0) source.text.append(bytes, static_cast<size_t>(got));
  else if (kind_ == Kind::list) fail(source, "ended before its list did");
  else source.feed.socket.reset();
}

void FeedReader::fail(Source& source, const std::string& what) {
  problems_.push_back("worker " + std::to_string(source.feed.worker) + " of generation " +
                      std::to_string(source.feed.generation) + " (pid " + std::to_string(source.feed.pid) + ") " +
                      what);
  source.feed.socket.reset();
}

void FeedReader::close_silent() {
  const auto now = Clock::now();
  const bool out_of_time = limits_.at_most.count() > 0 && now - begun_ >= limits_.at_most;
  for (Source& source : sources_) {
    if (!source.feed.socket) continue;
    if (out_of_time) fail(source, "had not ended after " + std::to_string(limits_.at_most.count() / 1000) + " s");
    else if (limits_.silence.count() > 0 && now - source.heard >= limits_.silence)
      fail(source, "said nothing for " + std::to_string(limits_.silence.count() / 1000) + " s");
  }
}

void FeedReader::add_to(std::vector<pollfd>& all) const {
  for (const Source& source : sources_) all.push_back({source.feed.socket ? source.feed.socket.get() : -1, POLLIN, 0});
}

// Receives what has come. False: a signal came.
bool FeedReader::wait(Milliseconds patience) {
  constexpr Milliseconds kLook{250};  // how often silence is looked for
  std::vector<pollfd> all;
  add_to(all);
  const int count = ::poll(all.data(), all.size(), static_cast<int>(std::min(patience, kLook).count()));
  if (count < 0) return errno != EINTR;
  for (size_t i = 0; i < all.size(); i++)
    if (all[i].revents != 0) receive(sources_[i]);
  return true;
}

}  // namespace relayd::admin
