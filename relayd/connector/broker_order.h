// In which order a dial tries the remote brokers: Config::Strategy. Brokers that are well come before the others.
//
// failover: in the configured order. round_robin: each dial begins with the next broker that is well. hash_clientid:
// rendezvous hashing (Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998) of device and
// broker: a device always meets the same broker while it is well, and only a lost broker's devices move. The hash
// depends on the broker's name and port alone, so every worker, and every relay with the same brokers, agrees. One
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relayd/handover/config.h"

namespace relayd::connector {

class BrokerOrder {
 public:
  BrokerOrder() = default;  // for a single broker
  BrokerOrder(Config::Strategy strategy, const std::vector<Config::Endpoint>& brokers);

  // `well` and `ill`: places in the list of brokers, each in the configured order. `device`: channel::Dial::device.
  std::vector<uint8_t> next(std::vector<uint8_t> well, std::vector<uint8_t> ill, uint64_t device);

 private:
  uint64_t weight(uint8_t broker, uint64_t device) const;

  Config::Strategy strategy_ = Config::Strategy::failover;
  std::vector<std::string> names_;
  size_t turn_ = 0;  // round_robin
};

}  // namespace relayd::connector
