// The connector of one generation: keeps the addresses of its brokers, and a channel for each of its workers.
//
// It trusts its supervisor, and no worker (worker_channel.h). Loop thread only.
#pragma once

#include <uv.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/fd.h"
#include "common/poll.h"
#include "common/uv.h"
#include "relayd/connector/resolver.h"
#include "relayd/connector/worker_channel.h"
#include "relayd/handover/connector_plan.h"

namespace relayd::connector {

class Connector {
 public:
  Connector(uv_loop_t* loop, ConnectorPlan plan, common::Fd control);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  const ConnectorPlan& plan() const { return plan_; }
  // Begins to look the names up, in libuv's threads, which start here.
  void resolve();
  // Tells the supervisor that it serves; it gets no channel before.
  void serve();

 private:
  void on_control(int events);
  void set_log_level(char level) const;
  void on_names();
  void on_over(int worker, const std::string& why);
  void sweep();
  void beat();
  bool tell(std::string_view message);
  void teach(WorkerChannel& channel) const;

  uv_loop_t* loop_;
  const ConnectorPlan plan_;
  const std::shared_ptr<const common::Fd> certificates_;  // remote.certs_dir; null: it is not set
  const size_t most_;                                     // dials and sockets of one worker
  common::Fd control_;
  std::unique_ptr<common::Poll> control_poll_;
  std::deque<Resolver> remote_;  // one for each broker, or one for the proxy
  std::optional<Resolver> local_;
  std::map<int, std::unique_ptr<WorkerChannel>> channels_;  // by worker
  common::Timer beat_, sweep_;
  bool untold_ = false;  // the supervisor has not yet taken the latest report of names
};

}  // namespace relayd::connector
