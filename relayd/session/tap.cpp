#include "relayd/session/tap.h"

#include <sys/random.h>

#include <algorithm>

#include "common/json_line.h"
#include "common/log.h"
#include "relayd/mqtt/client_packets.h"
#include "relayd/mqtt/fixed_header.h"
#include "relayd/session/proxy_header.h"

namespace relayd {
namespace {

using common::Milliseconds;

constexpr Milliseconds kFirstBackoff{1000}, kLastBackoff{60'000};
constexpr Milliseconds kToConnect{10'000};  // for TLS and CONNACK
constexpr Milliseconds kPing{30'000};
constexpr uint16_t kKeepAlive = 60;            // seconds: a broker gives it one and a half times that
constexpr uint32_t kMostPacket = 1024 * 1024;  // of one message; also at most the queue

// Two workers, two generations or two gateways must not take each other's connection over (MQTT-3.1.4-3).
std::string unique_client_id(int worker) {
  std::array<uint8_t, 8> random{};
  [[maybe_unused]] const ssize_t got = getrandom(random.data(), random.size(), 0);
  return "mqtt-relay-tap-" + std::to_string(worker) + "-" + common::hex(random.data(), random.size());
}

uint32_t size_of_first(std::span<const uint8_t> packets) {
  mqtt::FixedHeader header;
  for (const uint8_t byte : packets)
    if (header.push(byte) != mqtt::FixedHeader::Status::more) break;
  return header.packet_size();
}

}  // namespace

Tap::Tap(const Options& options, tls::Runtime& runtime, ConnectorClient& connector, Counters& counters)
    : options_(options),
      runtime_(runtime),
      connector_(connector),
      counters_(counters),
      client_id_(unique_client_id(options.worker)),
      backoff_(kFirstBackoff),
      timer_(runtime.loop, this, common::call<&Tap::on_timer>),
      flush_(runtime.loop, this, common::call<&Tap::flush>) {
  counters_.tap_down.store(1, std::memory_order_relaxed);
  connect();
}

Tap::~Tap() {
  if (state_ != State::up) return;
  flush();
  std::vector<uint8_t> packet;
  mqtt::append_disconnect(packet);
  stream_->write(packet);
}

mqtt::PublishCopier Tap::copier(mqtt::Version version) const {
  const auto most = static_cast<uint32_t>(std::min<size_t>(kMostPacket, options_.local.tap_queue));
  return {version, options_.local.tap_prefix, most};
}

void Tap::copy(mqtt::PublishCopier& copier, std::span<const uint8_t> sent) {
  copier.feed(sent, copies_);
  const auto counts = copier.take_counts();
  publish(copies_, counts.copied);
  count_drops(counts);
  copies_.clear();
}

void Tap::publish(std::span<const uint8_t> packets, uint64_t count) {
  if (packets.empty()) return;
  if (queue_.size() + packets.size() > options_.local.tap_queue) return drop(TapDrop::queue_full, count);
  queue_.insert(queue_.end(), packets.begin(), packets.end());
  queued_ += count;
  if (state_ == State::up && !flush_.running()) flush_.start(Milliseconds(0));
}

void Tap::count_drops(const mqtt::PublishCopier::Counts& counts) {
  drop(TapDrop::too_large, counts.too_large);
  drop(TapDrop::unknown_alias, counts.unknown_alias);
}

void Tap::drop(TapDrop reason, uint64_t count) {
  relayd::count(counters_.tap_dropped[static_cast<size_t>(reason)], count);
}

// ---- the connection ------------------------------------------------------------------------------------------------

void Tap::connect() {
  state_ = State::dialing;
  dial_ = std::make_unique<Dial>(connector_, channel::Target::local, options_.connect_timeout, this,
                                 common::call<&Tap::on_dialed>);
}

void Tap::on_dialed(common::Fd socket, const DialFailure& failure) {
  if (!socket) return lose("it can't be reached: " + failure.text());
  stream_ = std::make_unique<tls::Stream>(runtime_, std::move(socket), *this);
  if (options_.local.proxy_protocol) stream_->send_first(proxy::encode_local());
  timer_.start(kToConnect);
  state_ = State::handshake;
  if (!options_.tls) {
    stream_->plain();
    return say_connect();
  }
  const auto hello = options_.tls->has_small_hello() ? tls::Hello::small : tls::Hello::usual;
  if (!stream_->own_handshake(*options_.tls, {}, hello)) lose("there is no memory for a TLS handshake");
}

void Tap::on_open(tls::Stream&) { say_connect(); }

void Tap::say_connect() {
  dial_->keep();
  state_ = State::awaiting_connack;
  down_ = mqtt::Framer(mqtt::Version::v5_0);
  connack_ = {};
  pings_ = 0;
  std::vector<uint8_t> packet;
  mqtt::append_connect(packet, client_id_, "", kKeepAlive);
  stream_->write(packet);
}

void Tap::on_data(tls::Stream&, std::span<const uint8_t> bytes) {
  if (state_ != State::awaiting_connack && state_ != State::up) return;
  const auto fed = down_.feed(bytes);
  connack_.feed(bytes);
  if (state_ == State::awaiting_connack && connack_.done()) on_connack();
  if (fed.state != mqtt::Framer::State::running && state_ != State::waiting)
    lose("it ended the connection, or sent something other than MQTT");
}

void Tap::on_connack() {
  const auto code = down_.connack_code();
  if (!code) return lose("its first packet is not a CONNACK");
  if (*code != 0)
    return lose("it refused the relay's own client: CONNACK code " + std::to_string(*code) +
                (connack_.reason().empty() ? "" : "; its reason: " + connack_.reason()));
  state_ = State::up;
  dial_.reset();
  backoff_ = kFirstBackoff;
  counters_.tap_down.store(0, std::memory_order_relaxed);
  common::log::info("tap_up", "local.tap: connected to the local broker",
                    {{"worker", options_.worker}, {"client_id", client_id_}, {"waiting", queued_}});
  reported_down_ = false;
  timer_.start(kPing);
  flush();
}

void Tap::on_timer() {
  if (state_ == State::waiting) return connect();
  if (state_ != State::up) return lose("it did not accept the connection in time");
  if (down_.packets(mqtt::PacketType::pingresp) < pings_) return lose("it does not answer PINGREQ");
  pings_++;
  std::vector<uint8_t> packet;
  mqtt::append_pingreq(packet);
  stream_->write(packet);
  timer_.start(kPing);
}

void Tap::lose(std::string_view why) {
  if (state_ == State::waiting) return;
  if (!reported_down_)
    common::log::warning("tap_down",
                         "local.tap: no connection to the local broker; messages are dropped once the queue is full",
                         {{"worker", options_.worker}, {"cause", why}, {"tries_again_in_ms", backoff_.count()}});
  reported_down_ = true;
  counters_.tap_down.store(1, std::memory_order_relaxed);
  drop(TapDrop::lost, std::exchange(sending_, 0));
  state_ = State::waiting;
  dial_.reset();
  flush_.stop();
  if (stream_) stream_->close();
  ending_ = std::move(stream_);  // this may be a call of its own
  timer_.start(backoff_);
  backoff_ = std::min(2 * backoff_, kLastBackoff);
}

void Tap::on_end(tls::Stream&, const tls::End& end) { lose(end.text + (end.advice.empty() ? "" : "; " + end.advice)); }

void Tap::on_closed(tls::Stream&) {}

// ---- messages ------------------------------------------------------------------------------------------------------

void Tap::flush() {
  if (state_ != State::up || queue_.empty() || stream_->congested()) return;
  relayd::count(counters_.tap_copied, queued_);
  sending_ = std::exchange(queued_, 0);
  stream_->write(what_it_takes());
  if (!stream_->congested()) sending_ = 0;
}

// The queue, without what this broker does not take.
std::vector<uint8_t> Tap::what_it_takes() {
  std::vector<uint8_t> packets = std::exchange(queue_, {});
  if (connack_.maximum_packet_size() == mqtt::kNoSizeLimit && connack_.retain_available()) return packets;
  std::vector<uint8_t> taken;
  for (std::span<uint8_t> rest(packets); !rest.empty();) {
    const uint32_t size = size_of_first(rest);
    if (!connack_.retain_available()) rest[0] &= 0xFE;
    if (size > connack_.maximum_packet_size()) drop(TapDrop::too_large, 1);
    else taken.insert(taken.end(), rest.begin(), rest.begin() + size);
    rest = rest.subspan(size);
  }
  return taken;
}

void Tap::on_drained(tls::Stream&) {
  sending_ = 0;
  flush();
}

}  // namespace relayd
