// Copies what relayed devices publish to the local broker (local.tap), as the brokers of a gateway that bridges do: its
// subscribers see the messages of devices whose sessions are elsewhere.
//
//   waiting ─► dialing ─► handshake (local.tls) ─► awaiting_connack ─► up
//      ▲───────── any failure, backoff 1 s to 60 s ◄──────────────────┘
//
// One connection for all devices of a worker, an MQTT 5.0 client of the relay's own that only publishes, at QoS 0. It
// never slows the relay: messages wait in a queue of at most tap_queue bytes, also while there is no connection, and
// the newest are dropped and counted if it is full. Copies leave once in a turn of the loop. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/uv.h"
#include "relayd/handover/config.h"
#include "relayd/handover/scoreboard.h"
#include "relayd/mqtt/connack.h"
#include "relayd/mqtt/framer.h"
#include "relayd/mqtt/publish_copier.h"
#include "relayd/session/connector_client.h"
#include "relayd/session/dial.h"
#include "relayd/tls/stream.h"

namespace relayd {

class Tap final : public tls::StreamHandler {
 public:
  struct Options {
    int worker = 0;  // for the log and the client id
    const Config::Local& local;
    common::Milliseconds connect_timeout{};
    const tls::ClientContext* tls = nullptr;  // null: plain TCP
  };
  // Connects at once. Everything given outlives the tap.
  Tap(const Options& options, tls::Runtime& runtime, ConnectorClient& connector, Counters& counters);
  ~Tap();
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;

  // What a device sends goes through a copier of its own. `version`: the device's.
  mqtt::PublishCopier copier(mqtt::Version version) const;
  // Copies what the device has sent, by its copier.
  void copy(mqtt::PublishCopier& copier, std::span<const uint8_t> sent);
  // Whole PUBLISH packets from a copier, `count` of them.
  void publish(std::span<const uint8_t> packets, uint64_t count);
  void count_drops(const mqtt::PublishCopier::Counts& counts);
  void drop(TapDrop reason, uint64_t count);

 private:
  enum class State : uint8_t { waiting, dialing, handshake, awaiting_connack, up };

  void connect();
  void on_dialed(common::Fd socket, const DialFailure& failure);
  void say_connect();
  void flush();
  std::vector<uint8_t> what_it_takes();
  void on_timer();
  void lose(std::string_view why);
  void on_connack();

  void on_open(tls::Stream& stream) override;
  void on_data(tls::Stream& stream, std::span<const uint8_t> bytes) override;
  void on_drained(tls::Stream& stream) override;
  void on_end(tls::Stream& stream, const tls::End& end) override;
  void on_closed(tls::Stream& stream) override;

  const Options options_;
  tls::Runtime& runtime_;
  ConnectorClient& connector_;
  Counters& counters_;
  std::string client_id_;
  State state_ = State::waiting;
  common::Milliseconds backoff_;
  common::Timer timer_, flush_;
  std::unique_ptr<Dial> dial_;
  std::unique_ptr<tls::Stream> stream_, ending_;
  mqtt::Framer down_{mqtt::Version::v5_0};
  mqtt::ConnackReader connack_;
  std::vector<uint8_t> copies_;  // scratch, empty between events
  std::vector<uint8_t> queue_;
  uint64_t queued_ = 0, sending_ = 0;  // messages in queue_, and of those given to the stream that it has not sent
  uint64_t pings_ = 0;                 // sent on this connection
  bool reported_down_ = false;
};

}  // namespace relayd
