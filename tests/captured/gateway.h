// A gateway of which one process is captured: the programs are installed in a folder of the test's own, where an
// attacker has the place of one of them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/fd.h"
#include "tests/captured/trials.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/raw_tls.h"
#include "tests/integration/harness/world.h"

namespace captured {

using harness::Json;

// A captured process, and what it must not disturb.
class Captive {
 public:
  virtual ~Captive() = default;

  // What the attack led to: "done", an error's name, or "killed" if the attacker did not survive it. "@keyd",
  // "@supervisor" and "@sibling", a worker that is not captured, stand for process ids.
  std::string attack(std::string command);
  // Each attack ends as it should, and disturbs nothing.
  void attempt(const std::vector<Trial>& trials);

 protected:
  virtual std::string carry_out(const std::string& command) = 0;
  virtual std::vector<std::pair<std::string, pid_t>> pids() = 0;
  virtual void goes_on() = 0;
};

// keyd, relayd and the brokers. One of relayd's processes is captured, and a device is connected all along.
class Installation : public Captive {
 public:
  // The device that was connected all along is served, and so is a newcomer.
  void serves();
  // The same, and a reload and a restart of relayd work. At the end of a test.
  void is_unharmed();
  void must_fail(const std::vector<Trial>& trials);
  virtual harness::Device newcomer(const std::string& id);
  harness::Relay& relay() { return world.relay(); }

  harness::World world;
  const harness::Identity identity = harness::device_identity("p256", 1);
  std::optional<harness::Device> steady;

 protected:
  // Puts the attacker in the place of `name` in libexec. Starts nothing.
  Installation(harness::WorldOptions options, const std::string& name, const std::string& attacker);
  void start();
  virtual void was_reloaded() {}
  std::vector<std::pair<std::string, pid_t>> pids() override;
  void goes_on() override { steady->ping(); }

 private:
  int newcomers_ = 0;
};

// How relayd gets its listening sockets: each worker has its own, or all share one that a service manager passed.
enum class Layout { own, activated };
inline constexpr Layout kLayouts[] = {Layout::own, Layout::activated};

struct GatewayOptions {
  Json relayd = Json::object(), keyd = Json::object();
};

// Slot 0 of two workers is captured. The device is connected to the other one.
class Gateway : public Installation {
 public:
  explicit Gateway(Layout layout, const GatewayOptions& options = {});
  harness::Device newcomer(const std::string& id) override;

 private:
  std::string carry_out(const std::string& command) override;

  common::Fd socket_;  // under socket activation
};
// For a captured worker, in both layouts.
void must_fail(const std::vector<Trial>& trials);

// The attacker's answer: "+" and the outcome; only "+" if it did not survive; "" if it did not answer.
std::string answer_on(harness::RawSocket& socket);

}  // namespace captured
