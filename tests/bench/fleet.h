// The devices of the bench: each connects with a certificate of its own, and a Work decides what it does then.
#pragma once

#include <deque>
#include <functional>

#include "tests/bench/endpoint.h"

namespace bench {

class Fleet;

struct Identity {
  std::string name;
  Context context;  // with its certificate and key
};

class Device : public Endpoint {
 public:
  Device(Fleet& fleet, size_t index, const Address& address);

  const size_t index;
  bool online = false, leaving = false;
  uint16_t next_id = 1;
  Clock::time_point dialled = Clock::now();
  std::deque<Clock::time_point> waiting{};  // when each PUBLISH without its PUBACK was, or should have been, sent

  void leave();  // DISCONNECT; the relay, or the broker behind it, closes
  void publish(int qos, size_t payload);

 protected:
  void on_open() override;
  void on_packet(uint8_t first, Bytes body) override;
  void on_drained() override;
  void on_closed(const std::string& why) override;

 private:
  Fleet& fleet_;
};

// What devices do. A device may be lost only while it leaves, unless the work says otherwise.
class Work {
 public:
  virtual ~Work() = default;
  virtual void online(Device&) {}
  virtual void packet(Device&, uint8_t /*first*/, Bytes) {}
  virtual void drained(Device&) {}
  virtual void left(Device&) {}
  virtual void lost(Device& device, const std::string& why);
};

class Fleet {
 public:
  // The devices' file is bench_pki's; `count` of them from number `first` on.
  Fleet(const std::string& file, size_t first, size_t count, const std::string& tls);

  Loop loop;
  Address relay;

  size_t size() const { return identities_.size(); }
  Device& device(size_t index) { return *devices_[index]; }
  const Identity& identity(size_t index) const { return identities_[index]; }
  Work& work() { return *work_; }

  void dial(size_t index, const Address& address);
  void dial(size_t index) { dial(index, relay); }
  void gone(Device& device);
  // What the devices do from now on. It must live until they have something else to do.
  void employ(Work& work) { work_ = &work; }
  // Employs the devices until `done`. Fails if nothing has changed in `progress` for 30 s.
  void run(Work& work, const std::function<bool()>& done, const std::function<size_t()>& progress,
           const std::function<Clock::time_point()>& wake = {});
  // Connects the devices in [0, count), `in_flight` at a time.
  void connect(size_t count, size_t in_flight);

 private:
  std::vector<Identity> identities_{};
  std::vector<std::unique_ptr<Device>> devices_{};
  Work idle_{};
  Work* work_ = &idle_;
};

}  // namespace bench
