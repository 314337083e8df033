// The operator's doors: the control socket and the monitor. Their settings are read at the start only.
//
// Devices do not wait for them. A door that can't be opened yet (its folder is missing, another program has its port)
// is retried until it opens. Loop thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/not_yet.h"
#include "common/uv.h"
#include "relayd/supervisor/control.h"
#include "relayd/supervisor/monitor.h"

namespace relayd {

class Doors {
 public:
  // Throws common::ConfigError if one can never be opened.
  Doors(uv_loop_t* loop, const common::Program& monitor, const Config& config, Control::Owner& owner);

  void reload_ended(bool ok, const std::string& message) {
    if (control_) control_->reload_ended(ok, message);
  }
  void disconnect_ended(uint64_t connection, bool ok, const std::string& outcome) {
    if (control_) control_->disconnect_ended(connection, ok, outcome);
  }
  // The monitor's.
  void set_log_level(common::log::Level level) {
    monitor_settings_.log.level = level;
    if (monitor_) monitor_->set_log_level(level);
  }
  // Why one is not open yet; "" if both are.
  const std::string& waits_for() const {
    return control_wait_.cause().empty() ? metrics_wait_.cause() : control_wait_.cause();
  }
  // nullopt: metrics is not set.
  std::optional<MonitorStatus> monitor() const {
    if (!metrics_bind_) return std::nullopt;
    return monitor_ ? monitor_->status() : MonitorStatus{0, "waiting", 0};
  }

 private:
  void open();
  void open_again();
  template <typename Make>
  void open_one(bool missing, common::Wait& wait, Make make);

  uv_loop_t* loop_;
  const common::Program& monitor_program_;
  const std::string control_socket_;
  const std::optional<Config::Endpoint> metrics_bind_;
  MonitorSettings monitor_settings_;
  Control::Owner& owner_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<Monitor> monitor_;
  common::Wait control_wait_, metrics_wait_;
  common::Timer again_;
};

}  // namespace relayd
