#include "relayd/supervisor/doors.h"

#include <unistd.h>

#include <algorithm>

#include "common/log.h"

namespace relayd {

Doors::Doors(uv_loop_t* loop, const common::Program& monitor, const Config& config, Control::Owner& owner)
    : loop_(loop),
      monitor_program_(monitor),
      control_socket_(config.control_socket),
      metrics_bind_(config.metrics),
      monitor_settings_{config.log, config.require_sandbox},
      owner_(owner),
      again_(loop, this, common::call<&Doors::open_again>) {
  open();
}

template <typename Make>
void Doors::open_one(bool missing, common::Wait& wait, Make make) {
  if (!missing) return;
  try {
    make();
    wait.worked();
  } catch (const common::NotYet& error) {
    const auto pause = wait.failed(error.what());
    again_.start(pause);
  }
}

void Doors::open() {
  open_one(!control_ && !control_socket_.empty(), control_wait_,
           [this] { control_ = std::make_unique<Control>(loop_, control_socket_, owner_, geteuid()); });
  open_one(!monitor_ && metrics_bind_, metrics_wait_, [this] {
    monitor_ = std::make_unique<Monitor>(loop_, monitor_program_, *metrics_bind_, monitor_settings_, &owner_,
                                         common::call<&Control::Owner::status>);
  });
}

void Doors::open_again() {
  try {
    open();
  } catch (const std::exception& error) {  // at the start it would have ended relayd; now devices are served
    common::log::error("door_lost", "relayd goes on without it until it is restarted", {{"cause", error.what()}});
  }
}

}  // namespace relayd
