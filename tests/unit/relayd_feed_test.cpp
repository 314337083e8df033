// Feeds: a worker writes them without ever waiting, and a command reads them without trusting a worker.
#include <sys/socket.h>

#include <optional>

#include "relayd/admin/feed_reader.h"
#include "relayd/admin/show_sessions.h"
#include "relayd/admin/trace.h"
#include "relayd/worker/feeds.h"
#include "tests/unit/relayd_loop_support.h"

using namespace relayd;
using admin::FeedReader;
using admin::Json;
using common::Milliseconds;
using relayd_test::Loop;

namespace {

struct Pair {
  common::Fd writer, reader;
  Pair() {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    writer.reset(ends[0]);
    reader.reset(ends[1]);
  }
};

// A feed of a worker, on a loop that the test turns.
struct Writing {
  Loop loop;
  Pair pair;
  int ended = 0;
  std::optional<Feed> feed;

  explicit Writing(Feed::More more, Milliseconds patience = kFeedPatience) {
    feed.emplace(loop.get(), std::move(pair.writer), std::move(more), this, common::call<&Writing::end>, patience);
  }
  void end(Feed&) {
    ended++;
    feed.reset();
  }
  void turn(int times = 1) {
    while (times-- > 0) uv_run(loop.get(), UV_RUN_NOWAIT);
  }
  // What has come; it ends with "<end>" if the feed has.
  std::string read(size_t most = SIZE_MAX) {
    std::string all;
    char bytes[4096];
    while (all.size() < most) {
      const ssize_t got = recv(pair.reader.get(), bytes, sizeof bytes, 0);
      if (got == 0) return all + "<end>";
      if (got < 0) break;
      all.append(bytes, static_cast<size_t>(got));
    }
    return all;
  }
};

const std::string kLine = std::string(999, 'x') + "\n";

// Reads what `workers` write; returns the lines, and leaves the problems in `problems`.
std::vector<Json> read_all(std::vector<Pair>& workers, std::vector<std::string>& problems,
                           const FeedReader::Limits& limits = {}, FeedReader::Kind kind = FeedReader::Kind::list) {
  admin::FeedSockets feeds;
  for (size_t i = 0; i < workers.size(); i++)
    feeds.feeds.push_back({static_cast<int>(i), 1, 70, std::move(workers[i].reader)});
  FeedReader reader(std::move(feeds), kind, limits);
  std::vector<Json> lines;
  Json line;
  for (auto got = FeedReader::Got::line; got != FeedReader::Got::over;)
    if ((got = reader.next(line, Milliseconds(20'000))) == FeedReader::Got::line) lines.push_back(line);
  problems = reader.problems();
  return lines;
}

void say(const Pair& worker, const std::string& text) {
  REQUIRE(::send(worker.writer.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

}  // namespace

TEST_CASE("feed: a list is made no faster than its reader takes it, and comes whole", "[feed]") {
  int made = 0;
  Writing test([&](std::string& lines) {
    lines += kLine;
    return ++made < 5000;
  });
  test.turn(10'000);
  const int before = made;
  CHECK(before < 1000);  // what the socket takes, and a little
  std::string all;
  while (!all.ends_with("<end>")) {
    all += test.read(100'000);
    test.turn();
  }
  CHECK(made == 5000);
  CHECK(all.size() == 5000 * kLine.size() + std::string("<end>").size());
  CHECK(test.ended == 1);
}

TEST_CASE("feed: a reader that takes nothing ends the feed", "[feed]") {
  Writing test(
      [](std::string& lines) {
        lines += kLine;
        return true;
      },
      Milliseconds(20));
  while (test.ended == 0) uv_run(test.loop.get(), UV_RUN_ONCE);
  CHECK(test.ended == 1);
}

TEST_CASE("feed: a reader that leaves ends the feed, also one that had nothing to say", "[feed]") {
  Writing list([](std::string& lines) {
    lines += kLine;
    return true;
  });
  list.turn(3);
  list.pair.reader.reset();
  while (list.ended == 0) list.turn();
  Writing live(nullptr);
  live.turn(3);
  live.pair.reader.reset();
  while (live.ended == 0) live.turn();
  CHECK(live.ended == 1);
}

TEST_CASE("feed: lines for which there is no room are dropped and counted, in their place", "[feed]") {
  Writing test(nullptr);
  constexpr uint64_t kAll = 3000;
  uint64_t arrived = 0, dropped = 0;
  for (uint64_t i = 0; i < kAll; i++) {
    test.feed->add("{\"n\":" + std::to_string(i) + ",\"fill\":\"" + std::string(900, 'x') + "\"}\n");
    test.turn();
  }
  std::string text;
  for (int quiet = 0; quiet < 10; quiet++) {
    const std::string now = test.read();
    if (!now.empty()) quiet = 0;
    text += now;
    test.turn();
  }
  test.feed->add("{\"n\":" + std::to_string(kAll) + "}\n");
  test.turn(3);
  text += test.read();
  uint64_t next = 0;
  for (size_t at = 0, end; (end = text.find('\n', at)) != text.npos; at = end + 1) {
    const Json line = Json::parse(text.substr(at, end - at));
    if (line.contains("dropped")) {
      dropped += line["dropped"].get<uint64_t>();
      next += line["dropped"].get<uint64_t>();
      continue;
    }
    CHECK(line.at("n") == next++);
    arrived++;
  }
  CHECK(dropped > 0);
  CHECK(arrived + dropped == kAll + 1);
  CHECK(next == kAll + 1);
}

TEST_CASE("feed: a worker has eight at a time, and the ninth reader is told", "[feed]") {
  Loop loop;
  const Feeds::Sessions none;
  Traces traces;
  Feeds feeds(loop.get(), none, traces);
  std::vector<Pair> pairs(kMaxFeeds + 1);
  const auto said = [](const Pair& pair) {
    char text[1024] = {};
    const ssize_t got = recv(pair.reader.get(), text, sizeof text - 1, 0);
    return std::string(text, static_cast<size_t>(std::max<ssize_t>(got, 0)));
  };
  for (Pair& pair : pairs) feeds.open({}, std::move(pair.writer));
  CHECK(said(pairs.back()).starts_with("{\"error\":\"8 such commands ask this worker already"));
  for (int i = 0; i < 20; i++) uv_run(loop.get(), UV_RUN_NOWAIT);
  for (size_t i = 0; i < kMaxFeeds; i++) CHECK(said(pairs[i]) == "{\"end\":1,\"sessions\":0}\n");
  Pair later;
  feeds.open({}, std::move(later.writer));
  for (int i = 0; i < 20; i++) uv_run(loop.get(), UV_RUN_NOWAIT);
  CHECK(said(later) == "{\"end\":1,\"sessions\":0}\n");
}

TEST_CASE("feed: the reader refuses what a worker may not say, and reads the others to their end", "[feed]") {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {std::string(kMaxFeedLine, 'x'), "sent a line of over 4096 bytes"},
      {"{\"a\":\"" + std::string(kMaxFeedLine, 'x') + "\"}\n", "sent a line of over 4096 bytes"},
      {"not JSON\n", "not an object of JSON"},
      {"[1]\n", "not an object of JSON"},
      {std::string(4000, '['), "ended before its list did"},
      {std::string("{\"a\":\"\0\"}\n", 10), "not an object of JSON"},
      {"{\"error\":\"no room\"}\n", "says: no room"},
      {"{\"n\":1}\n", "ended before its list did"},
  };
  for (const auto& [said, problem] : wrong) {
    CAPTURE(said);
    std::vector<Pair> workers(2);
    say(workers[0], said);
    workers[0].writer.reset();
    say(workers[1], "{\"n\":2}\n{\"end\":1,\"sessions\":9}\n{\"n\":3}\n");
    std::vector<std::string> problems;
    const auto lines = read_all(workers, problems);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].starts_with("worker 0 of generation 1 (pid 70) "));
    CHECK(problems[0].find(problem) != std::string::npos);
    CHECK(std::ranges::count(lines, Json({{"n", 2}})) == 1);
    CHECK(std::ranges::count(lines, Json({{"n", 3}})) == 0);  // after its end
  }
}

TEST_CASE("feed: the reader waits for no worker that is silent, and for none that never ends", "[feed]") {
  std::vector<std::string> problems;
  std::vector<Pair> silent(1);
  CHECK(read_all(silent, problems, {.silence = Milliseconds(30)}).empty());
  CHECK(problems == std::vector<std::string>{"worker 0 of generation 1 (pid 70) said nothing for 0 s"});

  std::vector<Pair> lasting(1);
  CHECK(read_all(lasting, problems, {.silence = Milliseconds(0), .at_most = Milliseconds(30)}).empty());
  CHECK(problems == std::vector<std::string>{"worker 0 of generation 1 (pid 70) had not ended after 0 s"});

  std::vector<Pair> many(1);
  say(many[0], "{}\n{}\n{}\n{}\n");
  CHECK(read_all(many, problems, {.lines = 3}).size() == 3);
  CHECK(problems == std::vector<std::string>{"worker 0 of generation 1 (pid 70) sent more than 3 lines"});
}

TEST_CASE("sessions: only known facts of the right type are believed", "[feed]") {
  const admin::FeedSocket from{3, 2, 70, {}};
  const Json claimed = {{"session", "000000000000abcd"},
                        {"client_id", 7},
                        {"device", "\x1b[2J"},
                        {"bytes_up", "many"},
                        {"bytes_down", -1},
                        {"seconds", 60U},
                        {"made_up", "x"},
                        {"worker", 99},
                        {"clean_start", 2U},
                        {"will", 1U},
                        {"state", Json::array()}};
  CHECK(admin::checked_session(claimed, from, 1'000'000'060) == Json({{"session", "000000000000abcd"},
                                                                      {"device", "\x1b[2J"},
                                                                      {"seconds", 60U},
                                                                      {"since", "2001-09-09T01:46:40Z"},
                                                                      {"will", true},
                                                                      {"worker", 3},
                                                                      {"generation", 2}}));
  CHECK(admin::checked_session({{"seconds", UINT64_MAX}}, from, 5).at("since") == "1970-01-01T00:00:00Z");
}

TEST_CASE("sessions: a pattern's stars stand for any bytes, and cost little", "[feed]") {
  CHECK(matches("", ""));
  CHECK(matches("*", ""));
  CHECK(matches("d-*", "d-17"));
  CHECK(matches("*-17", "d-17"));
  CHECK(matches("*a*b*", "xxaxxbxx"));
  CHECK(matches("d?17", "d-17"));
  CHECK(matches("a*", "a"));
  CHECK_FALSE(matches("", "d"));
  CHECK_FALSE(matches("d", "d-17"));
  CHECK_FALSE(matches("d-?", "d-17"));
  CHECK_FALSE(matches("*a*b*", "xxbxxaxx"));
  std::string stars;
  for (int i = 0; i < 100; i++) stars += "*a";
  CHECK_FALSE(matches(stars + "b", std::string(60'000, 'a')));
}

TEST_CASE("trace: a line as text, and what a worker made up is no harm", "[feed]") {
  CHECK(admin::shown_trace({{"ms", 12U},
                            {"session", "000000000000abcd"},
                            {"event", "up"},
                            {"type", "PUBLISH"},
                            {"size", 99U},
                            {"qos", 1U},
                            {"dup", 1U},
                            {"retain", 0U},
                            {"id", 7U},
                            {"topic", "a/b"}}) ==
        "       12 ms  000000000000abcd  → PUBLISH     99 bytes  qos 1  id 7  dup  a/b");
  CHECK(admin::shown_trace({{"ms", 1U}, {"session", "s"}, {"event", "end"}, {"why", "closed"}}) ==
        "        1 ms  s  * end  why: closed");
  CHECK(admin::shown_trace({{"dropped", 3U}}).starts_with("* 3 lines were dropped"));
  CHECK(admin::shown_trace({{"event", 7}, {"ms", "x"}}).empty());
  CHECK(admin::parse_seconds("90") == 90);
  CHECK(admin::parse_seconds("5m") == 300);
  CHECK(admin::parse_seconds("168h") == 604800);
  for (const char* wrong : {"", "0", "-1", "5d", "1.5h", "169h", "99999999999999999999", "m", "5 m"}) {
    CAPTURE(wrong);
    CHECK_FALSE(admin::parse_seconds(wrong));
  }
}
