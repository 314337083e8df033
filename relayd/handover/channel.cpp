#include "relayd/handover/channel.h"

#include <algorithm>
#include <array>

#include "ipc/codec.h"
#include "ipc/wire.h"
#include "relayd/handover/config.h"

namespace relayd::channel {
namespace {

using ipc::Reader;
using ipc::Writer;

constexpr std::array kTargets{Target::remote, Target::local};
constexpr size_t kMostLeft = kMaxAddresses;
using Found = CertificateAnswer::Found;
constexpr std::array kFound{Found::file, Found::missing, Found::unusable};

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void put(Writer& out, std::string_view text) {
  out.counted<uint8_t>(bytes_of(text.substr(0, DialFailure::kMostText)), DialFailure::kMostText);
}

void put(Writer& out, const std::vector<uint64_t>& numbers) {
  const size_t count = std::min(numbers.size(), kMostLeft);
  out.integer(static_cast<uint8_t>(count));
  for (size_t i = 0; i < count; i++) out.integer(numbers[i]);
}

uint8_t bits(std::initializer_list<bool> flags) {
  uint8_t value = 0, bit = 1;
  for (const bool flag : flags) {
    if (flag) value = static_cast<uint8_t>(value | bit);
    bit = static_cast<uint8_t>(bit << 1);
  }
  return value;
}

void put(Writer& out, const DialFailure& failure) {
  const auto& [refused, silent, no_route] = failure.causes;
  const auto& faults = failure.faults;
  const size_t count = std::min(failure.texts.size(), DialFailure::kMostTexts);
  out.integer(bits({refused, silent, no_route})).integer(bits({faults[0], faults[1], faults[2]}));
  out.integer(failure.omitted).integer(static_cast<uint8_t>(count));
  for (size_t i = 0; i < count; i++) put(out, std::string_view(failure.texts[i]));
}

void put(Writer&, const Begin&) {}
void put(Writer& out, const Dial& dial) {
  out.integer(dial.target).integer(dial.budget_ms).integer(dial.device);
  put(out, dial.addresses);
}
void put(Writer&, const Cancel&) {}
void put(Writer& out, const Judge& judge) {
  out.integer(judge.target).integer(judge.address).integer(static_cast<uint8_t>(judge.good));
}
void put(Writer&, const Keyd&) {}
void put(Writer& out, const Certificate& asked) { put(out, std::string_view(asked.client_id)); }

void put(Writer&, const Began&) {}
void put(Writer& out, const Connected& connected) {
  out.integer(connected.address).integer(connected.broker).integer(static_cast<uint8_t>(connected.doubtful));
  put(out, std::string_view(connected.text));
  put(out, connected.left);
  put(out, connected.failure);
}
void put(Writer& out, const Failed& failed) { put(out, failed.failure); }
void put(Writer& out, const KeydAnswer& answer) { put(out, std::string_view(answer.problem)); }
void put(Writer& out, const CertificateAnswer& answer) {
  out.integer(answer.found);
  put(out, std::string_view(answer.problem));
  out.counted<uint16_t>(bytes_of(answer.pem), kMaxCertificateFile);
}

// An operation is its place in the variant, from 1.
template <size_t kMost, typename Message>
std::vector<uint8_t> encoded(const Message& message) {
  std::array<uint8_t, kMost> bytes;
  Writer out(bytes);
  out.integer(static_cast<uint8_t>(message.body.index() + 1)).integer(message.id);
  std::visit([&](const auto& body) { put(out, body); }, message.body);
  return {bytes.begin(), bytes.begin() + out.size()};
}

bool get_flag(Reader& in) {
  const auto value = in.integer<uint8_t>();
  in.must(value <= 1);
  return value == 1;
}

std::string get_text(Reader& in) { return text_of(in.counted<uint8_t>(DialFailure::kMostText)); }

std::vector<uint64_t> get_numbers(Reader& in) {
  const size_t count = in.integer<uint8_t>();
  in.must(count <= kMostLeft);
  std::vector<uint64_t> numbers;
  for (size_t i = 0; i < std::min(count, kMostLeft); i++) numbers.push_back(in.integer<uint64_t>());
  return numbers;
}

DialFailure get_failure(Reader& in) {
  DialFailure failure;
  const auto causes = in.integer<uint8_t>(), faults = in.integer<uint8_t>();
  in.must(causes < 8 && faults < 8);
  failure.causes = {(causes & 1) != 0, (causes & 2) != 0, (causes & 4) != 0};
  for (size_t i = 0; i < failure.faults.size(); i++) failure.faults[i] = (faults >> i & 1) != 0;
  failure.omitted = in.integer<uint16_t>();
  const size_t count = in.integer<uint8_t>();
  in.must(count <= DialFailure::kMostTexts);
  for (size_t i = 0; i < std::min(count, DialFailure::kMostTexts); i++) failure.texts.push_back(get_text(in));
  return failure;
}

void get(Reader&, Begin&) {}
void get(Reader& in, Dial& dial) {
  dial.target = in.closed(kTargets);
  dial.budget_ms = in.integer<uint32_t>();
  in.must(dial.budget_ms <= kMaxBudgetMs);
  dial.device = in.integer<uint64_t>();
  dial.addresses = get_numbers(in);
}
void get(Reader&, Cancel&) {}
void get(Reader& in, Judge& judge) {
  judge.target = in.closed(kTargets);
  judge.address = in.integer<uint64_t>();
  judge.good = get_flag(in);
}
void get(Reader&, Keyd&) {}
void get(Reader& in, Certificate& asked) {
  asked.client_id = get_text(in);
  in.must(ipc::can_name_a_key(asked.client_id));
}

void get(Reader&, Began&) {}
void get(Reader& in, Connected& connected) {
  connected.address = in.integer<uint64_t>();
  connected.broker = in.integer<uint8_t>();
  in.must(connected.broker < Config::kMaxBrokers);
  connected.doubtful = get_flag(in);
  connected.text = get_text(in);
  connected.left = get_numbers(in);
  connected.failure = get_failure(in);
}
void get(Reader& in, Failed& failed) { failed.failure = get_failure(in); }
void get(Reader& in, KeydAnswer& answer) { answer.problem = get_text(in); }
void get(Reader& in, CertificateAnswer& answer) {
  answer.found = in.closed(kFound);
  answer.problem = get_text(in);
  answer.pem = text_of(in.counted<uint16_t>(kMaxCertificateFile));
  in.must(answer.problem.empty() == (answer.found != Found::unusable));
  in.must(answer.pem.empty() == (answer.found != Found::file));
}

// Reads the body whose place in the variant is `op` - 1; false if there is none.
template <size_t I = 0, typename... Bodies>
bool get_body(Reader& in, uint8_t op, std::variant<Bodies...>& body) {
  if constexpr (I == sizeof...(Bodies)) {
    return false;
  } else {
    if (op != I + 1) return get_body<I + 1>(in, op, body);
    get(in, body.template emplace<I>());
    return true;
  }
}

template <typename Message>
std::optional<Message> decoded(std::span<const uint8_t> datagram) {
  Reader in(datagram);
  Message message;
  const auto op = in.integer<uint8_t>();
  message.id = in.integer<uint64_t>();
  if (!get_body(in, op, message.body) || !in.done()) return std::nullopt;
  return message;
}

}  // namespace

std::vector<uint8_t> encode(const Question& question) { return encoded<kMaxQuestion>(question); }
std::vector<uint8_t> encode(const Answer& answer) { return encoded<kMaxAnswer>(answer); }
std::optional<Question> decode_question(std::span<const uint8_t> datagram) { return decoded<Question>(datagram); }
std::optional<Answer> decode_answer(std::span<const uint8_t> datagram) { return decoded<Answer>(datagram); }

}  // namespace relayd::channel
