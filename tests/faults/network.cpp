#include "tests/faults/network.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <exception>
#include <thread>

#include "tests/integration/harness/process.h"

namespace faults {
namespace {

void on_a_thread(const std::function<void()>& work) {
  std::exception_ptr failure;
  std::thread([&] {
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

int make_namespace() {
  int made = -1;
  on_a_thread([&] {
    if (unshare(CLONE_NEWNET) != 0) harness::fail_errno("make a network namespace");
    made = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (made < 0) harness::fail_errno("open the network namespace");
  });
  return made;
}

std::function<bool()> entering(int where) {
  return [where] { return setns(where, CLONE_NEWNET) == 0; };
}

void ip(int where, std::vector<std::string> words) {
  words.insert(words.begin(), "ip");
  const auto done = harness::run({.argv = words, .before_exec = entering(where)});
  if (done.status.code == 0) return;
  std::string text;
  for (const auto& word : words) text += word + " ";
  throw harness::Failure(text + "failed: " + done.err);
}

// The switch's end of a host's cable: "port11" for 192.0.2.11.
std::string port_of(const std::string& address) { return "port" + address.substr(address.rfind('.') + 1); }

}  // namespace

Network::Network(const std::vector<std::string>& addresses) {
  switch_ = make_namespace();
  ip(switch_, {"link", "add", "name", "switch", "type", "bridge"});
  ip(switch_, {"link", "set", "switch", "up"});
  for (const auto& address : addresses) {
    const int host = hosts_[address] = make_namespace();
    const auto path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(host), port = port_of(address);
    ip(switch_, {"link", "add", "name", port, "type", "veth", "peer", "name", "eth0", "netns", path});
    ip(switch_, {"link", "set", port, "master", "switch", "up"});
    ip(host, {"address", "add", address + "/24", "dev", "eth0"});
    ip(host, {"link", "set", "eth0", "up"});
    ip(host, {"link", "set", "lo", "up"});
  }
}

Network::~Network() {
  for (const auto& [address, host] : hosts_) close(host);
  close(switch_);
}

std::function<bool()> Network::at(const std::string& address) const { return entering(hosts_.at(address)); }

void Network::run_at(const std::string& address, const std::function<void()>& work) const {
  on_a_thread([&] {
    if (!at(address)()) harness::fail_errno("enter the network namespace of " + address);
    work();
  });
}

void Network::cable(const std::string& address, const std::string& state) {
  ip(switch_, {"link", "set", port_of(address), state});
}

}  // namespace faults
