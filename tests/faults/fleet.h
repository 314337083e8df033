// Several hundred MQTT devices at relayd's door, or ten thousand, in one thread. A test does its faults meanwhile, and
// then asks what the devices have seen.
#pragma once

#include <set>

#include "tests/faults/publisher.h"
#include "tests/integration/harness/relay.h"

namespace faults {

struct FleetOptions {
  size_t devices = harness::under_sanitizer ? 100 : 300;
  double messages_per_second = 3000;  // of all devices together
  size_t window = 4;                  // messages of one device on their way
  size_t identities = 16;             // certificates that the devices share; each client id has a key file of its own
  std::string prefix = "device-";     // of client ids, any/fleet/PREFIXn of topics
  Behaviour behaviour = {};           // `to`, `window` and `pause` are the fleet's to say
};

// What the devices have seen since the last mark, added up.
struct Figures {
  size_t devices = 0, up = 0;
  size_t disturbed = 0;                                 // devices whose session was lost at least once
  milliseconds slowest_recovery{0}, usual_recovery{0};  // the maximum, the median
  size_t in_flight = 0;
  Sightings seen = {};
  std::string text() const;
};

// What a device was promised, for the witness.
struct Ledger {
  std::string client_id;
  std::vector<bool> acknowledged;  // by message number; [0] is unused
};

class Fleet {
 public:
  // Gives keyd a key for each device. Nobody connects before start().
  Fleet(harness::Relay& relay, const FleetOptions& options);
  ~Fleet() { thread_.stop(); }

  void start() { thread_.start(); }
  // All sessions are up. A Failure with the figures at the deadline, as for all waits here.
  void wait_all_up(Deadline deadline);
  // `messages` more than now are acknowledged.
  void wait_progress(size_t messages, Deadline deadline);
  // Until `holds` for the figures; `what` is what failures call it.
  void wait_for(std::function<bool(const Figures&)> holds, const std::string& what, Deadline deadline);
  // Publishes no more, and waits until all that is in flight has been acknowledged.
  void stop_publishing_and_settle(Deadline deadline);
  void resume_publishing();

  // What is counted is counted from now on.
  void mark();
  Figures figures();
  std::set<std::string> disturbed();  // client ids
  std::vector<Ledger> ledgers();
  // All devices at once lose their connections, without a word.
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
