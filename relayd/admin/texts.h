// How the commands about sessions write numbers and times.
#pragma once

#include <cstdint>
#include <string>

namespace relayd::admin {

std::string in_units(uint64_t bytes);         // "17 B", "1.2 KB", "34 MB": KB are 1,024 bytes
std::string age(uint64_t seconds);            // "17s", "4m", "3h 20m", "12d 4h"
std::string time_text(int64_t unix_seconds);  // "2026-11-24T09:30:00Z"
std::string shortened(std::string shown);     // what visible() returned, in at most 40 characters

}  // namespace relayd::admin
