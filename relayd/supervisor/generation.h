// The workers of one configuration, and their connector. A reload creates a new generation; the old one stops accepting
// and lives until its last session ends.
//
//   resolving → starting → serving → retired → closing → draining → gone
//
// It is closing only when relayd stops. Loop thread only.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "relayd/supervisor/connector_slot.h"
#include "relayd/supervisor/listen.h"
#include "relayd/supervisor/load.h"
#include "relayd/supervisor/log_overrides.h"
#include "relayd/supervisor/open_feeds.h"
#include "relayd/supervisor/pauses.h"
#include "relayd/supervisor/slot_endings.h"
#include "relayd/supervisor/status.h"
#include "relayd/supervisor/worker_slot.h"

namespace relayd {

using FlappingMemory = std::map<std::string, std::vector<common::Fd>>;  // by listener's name, then by worker

class Generation final : private WorkerSlot::Owner, private ConnectorSlot::Owner {
 public:
  struct Owner {
    // All of its workers serve for the first time; those in quarantine don't count.
    virtual void on_serving(Generation& generation) = 0;
    virtual void on_unresolved(Generation& generation, const std::string& problem) = 0;  // see start()
    virtual void on_death(const Config& config, const Counters& counters) = 0;           // a worker process died
    virtual void on_ended(const Ended& ended) = 0;  // a worker's answer to disconnect()
    virtual void on_taken(const Taken& taken) = 0;  // for take_over() of every generation
    virtual void on_hopeless(Generation& generation, const std::string& cause) = 0;  // no worker can serve
    virtual void on_accepting() = 0;                                                 // accepting() may have changed
    virtual void on_gone(Generation& generation) = 0;  // the owner may destroy it, but not inside this call

   protected:
    ~Owner() = default;
  };

  // `sockets`: as config.listeners. `flapping`: by listener, the memory of a FlappingTable for each worker. It,
  // `endings`, `pauses`, `log_levels`, `worker` and `connector` outlive the generation.
  Generation(uv_loop_t* loop, int number, const common::Program& worker, const common::Program& connector,
             Loaded&& loaded, std::vector<std::shared_ptr<ListenSockets>> sockets, const FlappingMemory& flapping,
             const SlotEndings& endings, const Pauses& pauses, const LogOverrides& log_levels, Owner& owner);

  // Starts the connector, which resolves the names, then the workers. If there is a generation `before`, nothing may
  // fail: a name that can't be resolved causes on_unresolved (unless `before` has addresses for the same name), and the
  // first death causes on_hopeless. If there is none, workers serve even while a name is unresolved, and dead workers
  // are restarted.
  void start(const Generation* before);
  void retire();
  // relayd stops: its workers take what waits in the queues, and their listeners end. accepting(): the workers that
  // have not confirmed it.
  void close();
  size_t accepting() const;
  void drain(Order::What how = Order::What::drain);  // or stop
  void kill();
  // Those of its listeners with crl_disconnect.
  Revocations revocations() const;
  // Ends the sessions whose certificates `revocations` revokes.
  void revoke(const Revocations& revocations);
  // Returns the number of workers that got the order; each answers through on_ended, unless it dies.
  size_t disconnect(const Whom& whom, uint32_t request);
  // Tells the workers what `pauses` says of this listener. False: a worker could not be told.
  bool tell_paused(const std::string& listener);
  // The same, of the log's levels; the connector learns relayd's own.
  bool tell_log_levels();
  // Adds a feed of each worker that has a process.
  void open_feeds(const FeedRequest& request, OpenFeeds& open);
  // Ends the device's older connections to the workers' built-in brokers.
  void take_over(const Taken& taken);
  // Sets how many connections its workers together may have now, of the listener with this number.
  void allow_connections(size_t listener, uint64_t most);

  bool gone() const;
  bool has_listener(const std::string& name) const {
    return std::ranges::find(config().listeners, name, &Config::Listener::name) != config().listeners.end();
  }
  int number() const { return number_; }
  const Config& config() const { return plan_.config; }
  const Plan& plan() const { return plan_; }
  const std::vector<std::unique_ptr<WorkerSlot>>& slots() const { return slots_; }
  // As the workers say, but of each worker at most what it was ever allowed. The second one: of the listener with this
  // name; 0 if there is none.
  uint64_t connections() const;
  uint64_t connections(const std::string& listener) const;
  void add_to(Status& status) const;

 private:
  std::unique_ptr<WorkerProcess> spawn(int worker, WorkerProcess::Owner& owner) override;
  void on_serving() override;
  void on_death(const Counters& counters) override { owner_.on_death(config(), counters); }
  void on_ended(const Ended& ended) override { owner_.on_ended(ended); }
  void on_taken(const Taken& taken) override { owner_.on_taken(taken); }
  void on_closed(int worker) override;
  bool may_restart() const override { return served_ || !replaces_; }
  void on_waiting(int worker) override;
  void on_quarantined(const std::string& cause) override;
  void on_hopeless(const std::string& cause) override { owner_.on_hopeless(*this, cause); }
  void on_gone() override;
  void on_names(const NamesReport& report) override;
  bool connector_may_restart() const override { return may_restart(); }
  void on_connector_hopeless(const std::string& cause) override { owner_.on_hopeless(*this, cause); }
  void on_connector_gone() override { on_gone(); }
  bool workers_gone() const;
  LogLevels log_levels() const { return log_levels_.levels(config().log.level); }

  uv_loop_t* loop_;
  const int number_;
  const common::Program& worker_;
  Plan plan_;
  std::vector<std::shared_ptr<ListenSockets>> sockets_;
  const FlappingMemory& flapping_;
  const SlotEndings& endings_;
  const Pauses& pauses_;
  const LogOverrides& log_levels_;
  Owner& owner_;
  std::vector<std::unique_ptr<WorkerSlot>> slots_;
  ConnectorSlot connector_;
  bool replaces_ = false, started_ = false, served_ = false;
  std::vector<uint64_t> most_connections_;  // by listener
};

}  // namespace relayd
