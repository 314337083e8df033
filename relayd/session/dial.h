// A session's way to its broker: the connector connects (relayd/connector/dialer.h), and this decides what to do if the
// connection proves useless.
//
// If the session finds a connection useless (TLS fails or goes unanswered), the next address is tried within the same
// budget. Its verdict goes to the connector's address book. One thread: the loop's.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "common/fd.h"
#include "common/uv.h"
#include "ipc/protocol.h"
#include "relayd/handover/channel.h"
#include "relayd/handover/dial_failure.h"
#include "relayd/session/connector_client.h"

namespace relayd {

class Dial final : private Asker {
 public:
  // Connections per dial: each may cost a signature, and a device's proof of presence is good for this number.
  static constexpr size_t kMostConnections = ipc::kMaxTries;
  // The connector's own deadline is the budget; this is for a connector that hangs.
  static constexpr common::Milliseconds kGrace{500};

  // Called from the loop, never from the constructor or try_next(). Passes a connected non-blocking socket, or none and
  // the reason; after a failure it is not called again.
  using Done = void (*)(void* owner, common::Fd socket, const DialFailure& failure);

  // `budget` bounds all attempts together. `device`: channel::Dial::device. The connector must outlive the dial.
  Dial(ConnectorClient& connector, channel::Target target, std::chrono::milliseconds budget, void* owner, Done done,
       uint64_t device = 0);
  ~Dial();
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;

  // `again`: if no other address is left, the same one is tried again in another way.
  enum class Last : uint8_t { final, again };

  // share(): how long the latest connection may take to prove useful, so that each remaining try gets an equal share of
  // the budget. left(): the remaining budget.
  std::chrono::milliseconds share(Last last) const;
  std::chrono::milliseconds left() const;
  bool has_more() const { return !left_.empty() && connections_ < kMostConnections; }
  // The latest connection: to which broker, as in channel::Connected; its address as a number and in words.
  size_t broker() const { return latest_.broker; }
  uint64_t address() const { return latest_.address; }
  const std::string& text() const { return latest_.text; }
  // The owner's verdict on the latest connection. blame(): its address is tried last for a while.
  void keep();
  void blame();
  // Blames the address and calls Done again: with the next connection, or, when addresses or time run out, the failure.
  void try_next(std::string_view cause, Last last);

 private:
  channel::Question::Body question() const override;
  void answered(const channel::Answer::Body& answer, common::Fd attached) override;
  void connected(const channel::Connected& connected, common::Fd socket);
  void failed(const DialFailure& failure);
  void ask();
  void too_late();

  ConnectorClient& connector_;
  const channel::Target target_;
  const uint64_t device_;
  const uint64_t until_;  // uv_now
  void* owner_;
  Done done_;
  std::optional<uint64_t> asked_;  // the question that is not answered
  channel::Connected latest_;
  std::vector<uint64_t> left_;  // addresses to try, the next one first; none before the first connection
  size_t connections_ = 0;
  DialFailure failure_;
  common::Timer deadline_;
};

}  // namespace relayd
