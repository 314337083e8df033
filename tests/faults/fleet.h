// Several hundred MQTT devices, or ten thousand, connected to relayd by one thread. Meanwhile a test injects its
// faults, and then asks what the devices saw.
#pragma once

#include <set>

#include "tests/faults/publisher.h"
#include "tests/integration/harness/relay.h"

namespace faults {

struct FleetOptions {
  size_t devices = harness::under_sanitizer ? 100 : 300;
  double messages_per_second = 3000;  // of all devices together
  size_t window = 4;                  // unacknowledged messages of one device
  size_t identities = 16;             // certificates that the devices share; each client id has its own key file
  std::string prefix = "device-";     // of client ids; topics are any/fleet/PREFIXn
  Behaviour behaviour = {};           // the fleet sets `to`, `window` and `pause`
};

// The sum of what all devices have seen since the last mark.
struct Figures {
  size_t devices = 0, up = 0;
  size_t disturbed = 0;                                 // devices whose session was lost at least once
  milliseconds slowest_recovery{0}, usual_recovery{0};  // the maximum, the median
  size_t in_flight = 0;
  Sightings seen = {};
  std::string text() const;
};

// The messages of one device that were acknowledged, for the witness.
struct Ledger {
  std::string client_id;
  std::vector<bool> acknowledged;  // by message number; [0] is unused
};

class Fleet {
 public:
  // Gives keyd a key for each device. No device connects before start().
  Fleet(harness::Relay& relay, const FleetOptions& options) : Fleet({&relay}, options, relay.endpoint()) {}
  // The same for several relays behind one address.
  Fleet(const std::vector<harness::Relay*>& relays, const FleetOptions& options, const harness::Endpoint& to);
  ~Fleet() { thread_.stop(); }

  void start() { thread_.start(); }
  // Waits until all sessions are up. At the deadline this and the other waits throw Failure with the figures.
  void wait_all_up(Deadline deadline);
  // Waits until `messages` more have been acknowledged.
  void wait_progress(size_t messages, Deadline deadline);
  // Waits until `holds` is true for the figures; failures call the condition `what`.
  void wait_for(std::function<bool(const Figures&)> holds, const std::string& what, Deadline deadline);
  // Stops publishing, and waits until every message in flight has been acknowledged.
  void stop_publishing_and_settle(Deadline deadline);
  void resume_publishing();

  // Resets the figures.
  void mark();
  Figures figures();
  std::set<std::string> disturbed();  // client ids
  std::vector<Ledger> ledgers();
  // Closes the connections of all devices at once, without DISCONNECT or close_notify.
  void vanish();
  size_t size() const { return devices_.size(); }
  size_t size_of_version_5() const;  // two of three; the others speak 3.1.1

 private:
  Figures add_up() const;
  void wait(std::function<bool()> holds, const std::string& what, Deadline deadline);

  Behaviour behaviour_;
  std::vector<std::unique_ptr<Publisher>> devices_;
  EventThread thread_;
};

}  // namespace faults
