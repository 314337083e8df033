#include "tests/faults/witness.h"

#include <algorithm>
#include <charconv>

namespace faults {

using harness::mqtt::Packet;
using harness::mqtt::Type;
namespace mqtt = harness::mqtt;

namespace {

const std::string prefix = "any/fleet/", own_topic = "any/fleet/the-witness-itself";
constexpr uint16_t subscribe_id = 1, barrier_id = 2;
constexpr milliseconds between_attempts{50};
constexpr size_t most_offenders = 8;

}  // namespace

Witness::Witness(const harness::Endpoint& remote)
    : remote_(remote),
      identity_(harness::device_identity("p256", 99)),
      context_(harness::TlsContext::client(&identity_, harness::authorities().root)),
      thread_(milliseconds(5), [this](Clock::time_point now) { on_tick(now); }) {
  thread_.start();
  if (!thread_.wait([this] { return subscribed_; }, harness::patience()))
    throw harness::Failure("the witness could not subscribe at " + remote_.text());
}

void Witness::on_tick(Clock::time_point now) {
  if (!link_.idle() || now < begin_at_) return;
  said_connect_ = subscribed_ = false;
  link_.connect(remote_, context_, thread_.epoll(), this);
  if (!link_.ended().empty()) come_back_later(now);
}

void Witness::on_ready(Clock::time_point now) {
  if (link_.idle()) return;
  link_.advance();
  if (link_.is_open() && !std::exchange(said_connect_, link_.is_open()))
    link_.send(mqtt::connect({.client_id = "the-witness", .clean = false, .keep_alive = 0}));
  while (const auto packet = link_.next_packet()) take(*packet);
  if (!link_.ended().empty()) come_back_later(now);
}

void Witness::come_back_later(Clock::time_point now) {
  link_.close();
  subscribed_ = false;
  begin_at_ = now + between_attempts;
}

void Witness::take(const Packet& packet) {
  switch (packet.type()) {
    case Type::connack: return on_connack(packet);
    case Type::suback: subscribed_ = true; return;
    case Type::publish: return on_publish(packet);
    case Type::pubrel: link_.send(mqtt::acknowledge(Type::pubcomp, mqtt::packet_id_of(packet))); return;
    default: return;
  }
}

void Witness::on_connack(const Packet& packet) {
  if (mqtt::connack_code(packet) != 0)
    throw harness::Failure("the remote refused the witness: " + mqtt::describe(packet));
  if (!mqtt::session_present(packet)) {
    sessions_lost_ += has_session_;
    deliveries_.clear();
  }
  has_session_ = true;
  link_.send(mqtt::subscribe(subscribe_id, prefix + "#", 2));
}

void Witness::on_publish(const Packet& packet) {
  const auto message = mqtt::parse_publish(packet, mqtt::v311);
  if (message.qos == 1) link_.send(mqtt::acknowledge(Type::puback, message.packet_id));
  if (message.qos == 2) {
    link_.send(mqtt::acknowledge(Type::pubrec, message.packet_id));
    // The same delivery again is not a second message: that would come without DUP and with a packet id of its own.
    // This holds even after a complete delivery: a mosquitto 2.0.11 that restarts between PUBREL and PUBCOMP sends
    // PUBLISH again.
    const auto delivery = message.topic + " " + message.payload;
    if (std::exchange(deliveries_[message.packet_id], delivery) == delivery && message.dup) return;
  }
  uint64_t number = 0;
  std::from_chars(message.payload.data(), message.payload.data() + message.payload.size(), number);
  if (message.topic == own_topic) {
    barrier_seen_ = std::max(barrier_seen_, number);
    return;
  }
  auto& counts = came_[message.topic.substr(prefix.size())];
  if (counts.size() <= number) counts.resize(number + 1);
  if (counts[number] < 255) ++counts[number];
}

size_t Witness::sessions_lost() {
  return thread_.ask([this] { return sessions_lost_; });
}

Judgement Witness::judge(const std::vector<Ledger>& ledgers, Deadline deadline) {
  // mosquitto delivers to one subscriber in order of arrival, so everything that it accepted earlier comes first.
  if (!thread_.wait([this] { return subscribed_; }, deadline))
    throw harness::Failure("the witness is not connected to the remote");
  thread_.ask([this] {
    link_.send(
        mqtt::publish({.topic = own_topic, .payload = std::to_string(++barrier_), .qos = 1, .packet_id = barrier_id}));
  });
  if (!thread_.wait([this] { return barrier_seen_ == barrier_; }, deadline))
    throw harness::Failure("the remote has not delivered all that it has taken");
  return thread_.ask([&] { return compare(ledgers); });
}

Judgement Witness::compare(const std::vector<Ledger>& ledgers) const {
  Judgement result;
  size_t offenders = 0, messages_known = 0, messages_came = 0;
  const auto offend = [&](size_t& count, const Ledger& ledger, size_t number, const char* how) {
    ++count;
    if (offenders++ < most_offenders) result.offenders += ledger.client_id + " " + std::to_string(number) + how + "; ";
  };
  for (const auto& ledger : ledgers) {
    const auto at = came_.find(ledger.client_id);
    const auto came = [&](size_t number) {
      return at != came_.end() && number < at->second.size() ? at->second[number] : 0;
    };
    for (size_t number = 1; number < ledger.acknowledged.size(); ++number) {
      const int times = came(number);
      messages_known += times > 0;
      result.acknowledged += ledger.acknowledged[number];
      if (ledger.acknowledged[number] && times == 0) offend(result.lost, ledger, number, " never came");
      if (times > 1 && number % 2 == 0) offend(result.doubled, ledger, number, " of QoS 2 came more than once");
      result.repeated += times > 1 && number % 2 == 1;
    }
  }
  for (const auto& [client_id, counts] : came_)
    messages_came += static_cast<size_t>(std::count_if(counts.begin(), counts.end(), [](auto n) { return n > 0; }));
  result.unknown = messages_came - messages_known;
  return result;
}

}  // namespace faults
