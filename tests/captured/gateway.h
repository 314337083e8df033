// A gateway of which one process is captured: the programs are installed in a folder of the test's own, where an
// attacker has the place of one of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/fd.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

namespace captured {

using harness::Json;

// How relayd gets its listening sockets: each worker has its own, or all share one that a service manager passed.
enum class Layout { own, activated };
inline constexpr Layout kLayouts[] = {Layout::own, Layout::activated};

struct GatewayOptions {
  Json relayd = Json::object(), keyd = Json::object();
};

// Slot 0 of two workers is captured. A device is connected to the other one.
class Gateway {
 public:
  explicit Gateway(Layout layout, const GatewayOptions& options = {});

  // What the attack led to: "done", an error's name, or "killed" if the attacker did not survive it.
  std::string attack(const std::string& command);
  // The device that was connected all along is served, and so is a newcomer.
  void serves();
  // The same, and a reload and a restart of relayd work. At the end of a test.
  void is_unharmed();
  harness::Device newcomer(const std::string& id);

  pid_t sibling() { return world.relay().workers().at(1); }
  harness::Relay& relay() { return world.relay(); }

  common::Fd socket;  // under socket activation
  harness::World world;
  const harness::Identity identity = harness::device_identity("p256", 1);
  std::optional<harness::Device> steady;

 private:
  int newcomers_ = 0;
};

struct Trial {
  std::string command, outcome;
};
// Each attack ends as it should, in both layouts, and the gateway is unharmed. PID arguments: "@supervisor",
// "@sibling",
// "@keyd".
void must_fail(const std::vector<Trial>& trials);

// Puts a program into the installation of `world`, in the place of `name` in libexec.
void capture(harness::World& world, const std::string& name, const std::string& attacker);

}  // namespace captured
