#include "tests/faults/network.h"

#include <unistd.h>

#include "tests/integration/harness/process.h"

namespace faults {
namespace {

void ip(const NetworkNamespace& where, std::vector<std::string> words) {
  words.insert(words.begin(), "ip");
  const auto done = harness::run({.argv = words, .before_exec = where.enter()});
  if (done.status.code == 0) return;
  std::string text;
  for (const auto& word : words) text += word + " ";
  throw harness::Failure(text + "failed: " + done.err);
}

// The switch's end of a host's cable: "port11" for 192.0.2.11.
std::string port_of(const std::string& address) { return "port" + address.substr(address.rfind('.') + 1); }

}  // namespace

Network::Network(const std::vector<std::string>& addresses) {
  ip(switch_, {"link", "add", "name", "switch", "type", "bridge"});
  ip(switch_, {"link", "set", "switch", "up"});
  for (const auto& address : addresses) {
    const NetworkNamespace& host = hosts_[address];
    const auto path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(host.fd()), port = port_of(address);
    ip(switch_, {"link", "add", "name", port, "type", "veth", "peer", "name", "eth0", "netns", path});
    ip(switch_, {"link", "set", port, "master", "switch", "up"});
    ip(host, {"address", "add", address + "/24", "dev", "eth0"});
    ip(host, {"link", "set", "eth0", "up"});
    ip(host, {"link", "set", "lo", "up"});
  }
}

void Network::cable(const std::string& address, const std::string& state) {
  ip(switch_, {"link", "set", port_of(address), state});
}

}  // namespace faults
