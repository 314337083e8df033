// The parts of the screen of `mqtt-relay top`, from top to bottom. Each fills an area as far as it goes.
#pragma once

#include "relayd/admin/top_area.h"

namespace relayd::admin {

// Screens from these sizes on have room for two things side by side, for more columns, and for the times as well.
inline constexpr int kWide = 78, kVeryWide = 120, kWidest = 150, kTall = 30;

void add_head(Area& area, const TopSight& sight, const TopChoice& choice);
void add_state(Area& area, const TopSight& sight);
void add_concerns(Area& area, const TopSight& sight, int height);  // of the whole screen
void add_headlines(Area& area, const TopModel& model);
void add_workers(Area& area, const TopModel& model);  // those that don't serve first
void add_refusals(Area& area, const TopModel& model);
void add_times(Area& area, const TopModel& model);
void add_devices(Area& area, const TopSight& sight, const TopChoice& choice);
void add_foot(Area& area, const TopChoice& choice);
void add_help(Area& area);

}  // namespace relayd::admin
