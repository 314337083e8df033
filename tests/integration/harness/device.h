// An MQTT device as a test sees it. It connects, publishes and subscribes with the right acknowledgements, and keeps
// every packet that it received.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "tests/integration/harness/mqtt.h"
#include "tests/integration/harness/tls_stream.h"

namespace harness {

class Device {
 public:
  // Opens TLS as `identity`; MQTT begins with connect().
  Device(const Identity& identity, const Endpoint& to, TlsVersion version = TlsVersion::any);
  explicit Device(TlsStream stream) : tls_(std::move(stream)) {}

  TlsStream& tls() { return tls_; }

  // Sends CONNECT and returns the CONNACK, whatever its code.
  mqtt::Packet connect(const mqtt::Connect& connect);
  // Like connect(), with a plain client id and a clean session. Throws Failure unless accepted. Returns *this.
  Device& join(const std::string& client_id, int level = mqtt::v311);

  // Waits for the acknowledgements that the QoS requires.
  void publish(const std::string& topic, const std::string& payload, int qos = 0, bool retain = false,
               const std::string& properties = {});
  // Returns the code that SUBACK granted.
  int subscribe(const std::string& filter, int qos = 0);
  // Returns the next message, acknowledged as its QoS requires; handles PUBREL and the like on the way.
  mqtt::Publish next_message(Deadline deadline = patience());
  // Sends PINGREQ and waits for the answer; packets that arrive before it are kept. Once it returns, everything that
  // the peer had sent has been read.
  void ping(Deadline deadline = patience());
  void disconnect();  // DISCONNECT, close_notify, FIN

  // Every packet received, one line each, for comparisons.
  const std::vector<std::string>& transcript() const { return transcript_; }
  size_t waiting_messages() const { return inbox_.size(); }

 private:
  mqtt::Packet read(Deadline deadline = patience());
  mqtt::Packet read_until(mqtt::Type type, uint16_t packet_id, Deadline deadline);
  void take(const mqtt::Packet& packet);

  TlsStream tls_;
  int level_ = mqtt::v311;
  uint16_t next_packet_id_ = 1;
  std::deque<mqtt::Publish> inbox_;
  std::vector<std::string> transcript_;
};

}  // namespace harness
