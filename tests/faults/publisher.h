// One device of a fleet: an MQTT client as careful firmware implements it. Its session is persistent. It publishes the
// numbers 1, 2, 3, … to any/fleet/CLIENTID, odd ones with QoS 1 and even ones with QoS 2, and keeps each until it is
// acknowledged. After every loss it reconnects and sends what was not acknowledged again, with DUP and the same packet
// id (MQTT-4.4.0-1).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/faults/link.h"

namespace faults {

struct Behaviour {
  harness::Endpoint to = {};
  size_t window = 4;                             // unacknowledged messages
  milliseconds pause{400};                       // between two times at which it fills the window
  uint16_t keep_alive = 60;                      // seconds; PINGREQ after half of it in silence, a loss after all of it
  milliseconds attempt{30'000};                  // from TCP connect to CONNACK
  milliseconds least_wait{20}, most_wait{1000};  // before it reconnects: doubles with each attempt, with jitter
  bool publishing = true;
};

// What a device has seen since the fleet's last mark.
struct Sightings {
  size_t losses = 0;  // of established sessions
  std::vector<Clock::time_point> losses_at = {};
  std::vector<milliseconds> recoveries = {};    // from a loss to the next CONNACK that accepts
  std::map<std::string, size_t> causes = {};    // of losses, in a few words
  std::map<std::string, size_t> failures = {};  // of attempts that did not reach CONNACK
  size_t failed_in_a_row = 0;                   // the most of them before one that did
  std::map<int, size_t> connacks = {};          // by code, 0 included
  std::map<int, size_t> disconnects = {};       // DISCONNECTs received, by reason code
  size_t published = 0, acknowledged = 0, sent_again = 0;
  size_t sessions_missing = 0;               // CONNACKs without session present although the session must exist
  std::vector<std::string> violations = {};  // of MQTT, by the other side
};

class Publisher final : public EventThread::Ready {
 public:
  Publisher(std::string client_id, int level, harness::TlsContext context, const Behaviour& behaviour, int epoll,
            uint32_t seed);

  // Lets time pass: reconnects, publishes, pings or gives up when due.
  void on_tick(Clock::time_point now);
  void on_ready(Clock::time_point now) override;

  const std::string& client_id() const { return client_id_; }
  bool up() const { return stage_ == Stage::up; }
  bool settled() const { return in_flight_.empty(); }
  size_t in_flight() const { return in_flight_.size(); }
  Sightings& seen() { return seen_; }
  // By message number, whether the other side has taken responsibility: PUBACK, PUBREC (MQTT-4.3.3). [0] is unused.
  const std::vector<bool>& acknowledged() const { return acknowledged_; }
  // Closes the connection without DISCONNECT or close_notify, as if the device had lost power.
  void vanish(Clock::time_point now);

 private:
  enum class Stage { away, connecting, up };
  struct Message {
    uint16_t packet_id;
    uint64_t number;
    bool received = false;  // QoS 2: PUBREC received, PUBREL sent
  };
  static int qos_of(uint64_t number) { return number % 2 ? 1 : 2; }

  void connect(Clock::time_point now);
  void send_connect();
  void take(const harness::mqtt::Packet& packet, Clock::time_point now);
  void on_connack(const harness::mqtt::Packet& packet, Clock::time_point now);
  void on_acknowledgement(const harness::mqtt::Packet& packet);
  void send_again();
  void fill_window(Clock::time_point now);
  void send(const Message& message, bool again);
  void lose(const std::string& why, Clock::time_point now);
  void complain(const std::string& what);

  const std::string client_id_;
  const int level_;
  const harness::TlsContext context_;
  const Behaviour& behaviour_;
  const int epoll_;
  std::minstd_rand random_;
  Link link_;
  Stage stage_ = Stage::away;
  bool said_connect_ = false, pinged_ = false;
  bool has_session_ = false;  // once the other side has accepted, it must know the session
  int attempts_ = 0;
  Clock::time_point begin_at_{}, give_up_at_{}, publish_at_{}, heard_at_{};
  std::optional<Clock::time_point> lost_at_;
  uint64_t last_number_ = 0;
  uint16_t last_packet_id_ = 0;
  std::deque<Message> in_flight_;
  std::vector<bool> acknowledged_ = {false};
  Sightings seen_;
};

}  // namespace faults
