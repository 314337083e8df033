// The messages between a worker and its connector.
#include "relayd/handover/channel.h"

#include "tests/unit/catch.h"

namespace channel = relayd::channel;
using relayd::DialFailure;

namespace {

std::vector<channel::Question> questions() {
  return {{0, channel::Begin{}},
          {1, channel::Dial{channel::Target::remote, 10'000, UINT64_MAX}},
          {UINT64_MAX, channel::Dial{channel::Target::local, channel::kMaxBudgetMs, 7,
                                     std::vector<uint64_t>(channel::kMaxAddresses, 7)}},
          {2, channel::Cancel{}},
          {0, channel::Judge{channel::Target::remote, 5, true}},
          {3, channel::Keyd{}}};
}

std::vector<channel::Answer> answers() {
  DialFailure failure;
  for (int i = 0; i < 9; i++) failure.add(std::string(200, 'a'), std::string(200, 'b'));
  failure.causes.silent = true;
  return {{0, channel::Began{}},
          {1, channel::Connected{7, 1, true, "192.0.2.1:1", std::vector<uint64_t>(channel::kMaxAddresses, 7), failure}},
          {2, channel::Failed{failure}},
          {3, channel::KeydAnswer{"no"}}};
}

}  // namespace

TEST_CASE("channel: every message arrives as it was sent") {
  for (const auto& sent : questions()) {
    CAPTURE(sent.body.index());
    const auto bytes = channel::encode(sent);
    const auto got = channel::decode_question(bytes);
    REQUIRE(got);
    CHECK(got->id == sent.id);
    CHECK(got->body.index() == sent.body.index());
    CHECK(channel::encode(*got) == bytes);
  }
  for (const auto& sent : answers()) {
    CAPTURE(sent.body.index());
    const auto bytes = channel::encode(sent);
    REQUIRE_FALSE(bytes.empty());
    const auto got = channel::decode_answer(bytes);
    REQUIRE(got);
    CHECK(got->id == sent.id);
    CHECK(channel::encode(*got) == bytes);
  }
  const auto failed = std::get<channel::Failed>(channel::decode_answer(channel::encode(answers()[2]))->body).failure;
  CHECK(failed.texts.size() == DialFailure::kMostTexts);
  CHECK(failed.texts[0].size() == DialFailure::kMostText);
  CHECK(failed.omitted == 5);
  CHECK(failed.causes.silent);
  CHECK_FALSE(failed.busy());
}

TEST_CASE("channel: a message that is cut, or has a byte too many, or an unknown value, is refused") {
  for (const auto& question : questions()) {
    auto bytes = channel::encode(question);
    for (size_t size = 0; size < bytes.size(); size++)
      CHECK_FALSE(channel::decode_question(std::span(bytes).first(size)));
    bytes.push_back(0);
    CHECK_FALSE(channel::decode_question(bytes));
  }
  for (const auto& answer : answers()) {
    auto bytes = channel::encode(answer);
    for (size_t size = 0; size < bytes.size(); size++)
      CHECK_FALSE(channel::decode_answer(std::span(bytes).first(size)));
    bytes.push_back(0);
    CHECK_FALSE(channel::decode_answer(bytes));
  }
  for (const size_t at : {size_t{0}, size_t{9}}) {  // the operation, the target
    auto bytes = channel::encode(channel::Question{1, channel::Dial{channel::Target::remote, 1}});
    bytes[at] = 9;
    CHECK_FALSE(channel::decode_question(bytes));
  }
  auto connected = channel::encode(answers()[1]);
  connected[17] = relayd::Config::kMaxBrokers;  // the broker
  CHECK_FALSE(channel::decode_answer(connected));
}
