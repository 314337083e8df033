// The hosts of a test, each in a network namespace of its own, joined by a switch (a bridge(8)) in one more. Nothing of
// it is part of the machine's own network, so tests may use any address. It ends with its owner and with the processes
// in it. Root only; needs ip(8).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/faults/network_namespace.h"

namespace faults {

class Network {
 public:
  // A host for each of these addresses, all in one /24.
  explicit Network(const std::vector<std::string>& addresses);

  // For ProcessOptions::before_exec: runs the program on the host.
  std::function<bool()> at(const std::string& address) const { return hosts_.at(address).enter(); }
  // Runs `work` on a thread of the host, as NetworkNamespace::run().
  void run_at(const std::string& address, const std::function<void()>& work) const { hosts_.at(address).run(work); }

  // The host's cable at the switch: nothing passes in either direction while it is pulled, and nobody is told.
  void pull(const std::string& address) { cable(address, "down"); }
  void plug(const std::string& address) { cable(address, "up"); }

 private:
  void cable(const std::string& address, const std::string& state);
  NetworkNamespace switch_;
  std::map<std::string, NetworkNamespace> hosts_;  // by address
};

}  // namespace faults
