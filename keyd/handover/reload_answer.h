// What the configuration's reader (startup/reader.h) answers to keyd: numbers, and words for people.
#pragma once

#include <cstddef>

#include "common/log.h"
#include "common/units.h"

namespace keyd {

// What keyd changes while it runs. Everything else needs a restart.
struct Changeable {
  bool allow_tls12_client = true;
  size_t max_queue = 0, max_connections = 0;
  common::Rate worker_rate, key_rate;
  common::log::Level log_level = common::log::Level::info;
  common::log::Format log_format = common::log::Format::automatic;
};

// A datagram. Both programs are of one build, and the reader is a copy of keyd itself.
struct ReloadAnswer {
  bool ok = false;
  char text[2048] = "";  // ok: the settings that have changed, "" if none has; otherwise why nothing changes
  Changeable now;        // if ok
};

}  // namespace keyd
