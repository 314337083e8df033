// A generation's connector (relayd/connector): starts it, gives it the workers' channels, restarts it when it has died,
// and kills it when it hangs.
//
//   idle → waiting ⇄ starting → serving → ending → gone;  idle → gone
//
// The slot keeps the connector's end of each channel, so a new process continues where the dead one was: sessions that
// are up don't notice, and the new process answers what workers asked meanwhile. It restarts as a worker does
// (RestartPolicy), but within a minute, because without a connector no worker serves newcomers. Loop thread only.
#pragma once

#include <uv.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/fd.h"
#include "common/poll.h"
#include "common/program.h"
#include "common/uv.h"
#include "relayd/handover/connector_plan.h"
#include "relayd/supervisor/child.h"
#include "relayd/supervisor/restart_policy.h"

namespace relayd {

class ConnectorSlot {
 public:
  enum class State { idle, waiting, starting, serving, ending, gone };

  struct Owner {
    virtual void on_names(const NamesReport& report) = 0;  // after the first look-ups, and then whenever they change
    virtual bool connector_may_restart() const = 0;
    virtual void on_connector_hopeless(const std::string& cause) = 0;  // it may not restart, or died too often at start
    virtual void on_connector_gone() = 0;

   protected:
    ~Owner() = default;
  };

  // `program` outlives the slot.
  ConnectorSlot(uv_loop_t* loop, const common::Program& program, const Config& config, std::string proxy_credentials,
                int generation, Owner& owner);
  ~ConnectorSlot();
  ConnectorSlot(const ConnectorSlot&) = delete;
  ConnectorSlot& operator=(const ConnectorSlot&) = delete;

  void start(KnownAddresses known);
  // `channel`: the connector's end for the worker process that starts now; it replaces the worker's earlier channel.
  void give(int worker, common::Fd channel);
  // Of the process that runs, and of those to come. False: it could not be told.
  bool set_log_level(common::log::Level level);
  void end();
  void kill();

  const KnownAddresses& known() const { return plan_.known; }
  State state() const { return state_; }
  bool gone() const { return state_ == State::idle || state_ == State::gone; }
  int pid() const { return process_ ? process_->pid() : 0; }
  uint64_t restarts() const { return restarts_; }

 private:
  struct Channel {
    common::Fd end;
    bool given = false;  // to the running process
  };

  void spawn();
  void try_to_start();
  void on_control(int events);
  void take(std::string_view message);
  void give_waiting();
  void misbehaved(const std::string& why);
  void on_exit(const Child::Death& death);
  void died(const std::string& cause, int pid);
  void look_for_a_beat();
  void kill_hanging();

  uv_loop_t* loop_;
  const common::Program& program_;
  Owner& owner_;
  ConnectorPlan plan_;
  RestartPolicy policy_;
  State state_ = State::idle;
  std::optional<Child> process_;
  common::Fd control_;
  std::unique_ptr<common::Poll> control_poll_;
  std::map<int, Channel> channels_;  // by worker
  common::Timer restart_, beat_, kill_;
  bool served_ = false;                  // this process has, or one before it
  int missed_beats_ = 0, messages_ = 0;  // messages: in second_ of uv_now()
  uint64_t second_ = 0;
  uint64_t restarts_ = 0;
  std::string last_words_;
};

const char* name(ConnectorSlot::State state);

}  // namespace relayd
