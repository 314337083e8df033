// The messages between a worker and its connector.
#include "relayd/handover/channel.h"

#include "ipc/protocol.h"
#include "tests/unit/catch.h"

namespace channel = relayd::channel;
using relayd::DialFailure;
using Found = channel::CertificateAnswer::Found;

namespace {

std::vector<channel::Question> questions() {
  return {{0, channel::Begin{}},
          {1, channel::Dial{channel::Target::remote, 10'000, UINT64_MAX}},
          {UINT64_MAX, channel::Dial{channel::Target::local, channel::kMaxBudgetMs, 7,
                                     std::vector<uint64_t>(channel::kMaxAddresses, 7)}},
          {2, channel::Cancel{}},
          {0, channel::Judge{channel::Target::remote, 5, true}},
          {3, channel::Keyd{}},
          {4, channel::Certificate{std::string(ipc::kMaxClientId, 'x')}}};
}

std::vector<channel::Answer> answers() {
  DialFailure failure;
  for (int i = 0; i < 9; i++) failure.add(std::string(200, 'a'), std::string(200, 'b'));
  failure.causes.silent = true;
  return {{0, channel::Began{}},
          {1, channel::Connected{7, 1, true, "192.0.2.1:1", std::vector<uint64_t>(channel::kMaxAddresses, 7), failure}},
          {2, channel::Failed{failure}},
          {3, channel::KeydAnswer{"no"}},
          {4, channel::CertificateAnswer{Found::file, "", std::string(channel::kMaxCertificateFile, 'x')}},
          {5, channel::CertificateAnswer{Found::missing, "", ""}},
          {6, channel::CertificateAnswer{Found::unusable, std::string(DialFailure::kMostText, 'x'), ""}}};
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
  const auto read = std::get<channel::CertificateAnswer>(channel::decode_answer(channel::encode(answers()[4]))->body);
  CHECK(read.pem == std::string(channel::kMaxCertificateFile, 'x'));
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
    for (size_t size = 0; size < bytes.size(); size += size < 300 ? 1 : 997)
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

TEST_CASE("channel: a question for a certificate names a device, and nothing that leads elsewhere") {
  for (const std::string& name :
       {std::string(".."), std::string("."), std::string(""), std::string("../relayd"), std::string("/etc/passwd"),
        std::string("a/b"), std::string("a\0b", 3), std::string("a\nb"), std::string(ipc::kMaxClientId + 1, 'x')}) {
    CAPTURE(name);
    CHECK_FALSE(channel::decode_question(channel::encode(channel::Question{1, channel::Certificate{name}})));
  }
  CHECK(channel::decode_question(channel::encode(channel::Question{1, channel::Certificate{"..."}})));
}

TEST_CASE("channel: an answer has a certificate or says why not, never both") {
  for (const auto& answer :
       {channel::CertificateAnswer{Found::file, "", ""}, channel::CertificateAnswer{Found::file, "x", "y"},
        channel::CertificateAnswer{Found::missing, "", "y"}, channel::CertificateAnswer{Found::missing, "x", ""},
        channel::CertificateAnswer{Found::unusable, "", ""}, channel::CertificateAnswer{Found::unusable, "x", "y"}})
    CHECK_FALSE(channel::decode_answer(channel::encode(channel::Answer{1, answer})));
  CHECK(channel::encode(
            channel::Answer{
                1, channel::CertificateAnswer{Found::file, "", std::string(channel::kMaxCertificateFile + 1, 'x')}})
            .empty());
}
