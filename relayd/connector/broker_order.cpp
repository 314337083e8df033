#include "relayd/connector/broker_order.h"

#include <algorithm>
#include <bit>
#include <span>

#include "relayd/handover/siphash.h"

namespace relayd::connector {

using Strategy = Config::Strategy;

BrokerOrder::BrokerOrder(Strategy strategy, const std::vector<Config::Endpoint>& brokers) : strategy_(strategy) {
  for (const auto& [host, port] : brokers) names_.push_back(host + ":" + std::to_string(port));
}

uint64_t BrokerOrder::weight(uint8_t broker, uint64_t device) const {
  const auto of_device = std::bit_cast<std::array<uint8_t, sizeof device>>(device);
  const std::string& name = names_[broker];
  return siphash({}, of_device, {reinterpret_cast<const uint8_t*>(name.data()), name.size()});
}

std::vector<uint8_t> BrokerOrder::next(std::vector<uint8_t> well, std::vector<uint8_t> ill, uint64_t device) {
  if (strategy_ == Strategy::round_robin && !well.empty())
    std::rotate(well.begin(), well.begin() + static_cast<std::ptrdiff_t>(turn_++ % well.size()), well.end());
  if (strategy_ == Strategy::hash_clientid)
    for (auto* list : {&well, &ill})
      std::ranges::sort(*list, std::greater(), [&](uint8_t broker) { return weight(broker, device); });
  well.insert(well.end(), ill.begin(), ill.end());
  return well;
}

}  // namespace relayd::connector
