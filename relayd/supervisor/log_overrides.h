// The log levels that the operator has set by command: relayd's own, and those of client ids. Each holds until it is
// taken back, its time is over, or relayd restarts; a reload or a worker's death does not end it. Loop thread only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "relayd/handover/log_levels.h"

namespace relayd {

struct LogChange {
  static constexpr uint64_t kMostSeconds = 7 * 24 * 3600;
  std::string client_id = {};                    // "": relayd's own level
  std::optional<common::log::Level> level = {};  // nullopt: take back what a command has set
  uint64_t seconds = 0;                          // how long it holds, at most kMostSeconds; 0: without end
};

// Who asks for it, as the kernel says (SO_PEERCRED).
struct Requester {
  pid_t pid = 0;
  uid_t uid = 0;
};

class LogOverrides {
 public:
  using Level = common::log::Level;

  struct Override {
    std::string client_id;  // "": relayd's own
    Level level = Level::info;
    uint64_t until = 0;  // milliseconds of uv_now(); 0: without end
  };
  struct Changed {
    std::string client_id;  // "": relayd's own
    Level before = Level::info, after = Level::info;
    uint64_t seconds = 0;  // as in LogChange
  };

  // `configured`: the level of relayd.json, which holds where a command has set none. nullopt: there was nothing to
  // take back. Throws std::runtime_error if LogLevels::kMostClients client ids have a level already.
  std::optional<Changed> change(const LogChange& change, Level configured, uint64_t now);
  // Takes those back whose time is over.
  std::vector<Changed> expire(Level configured, uint64_t now);

  LogLevels levels(Level configured) const;
  const std::vector<Override>& all() const { return all_; }  // in the order in which they were set

 private:
  std::vector<Override> all_;
};

// What the operator reads of a change; nullopt: see change().
std::string in_words(const std::optional<LogOverrides::Changed>& changed, const LogChange& change);
// Their lines in the log.
void log_change(const LogOverrides::Changed& changed, const Requester& requester);
void log_kept(const LogOverrides& overrides, common::log::Level configured);  // at a reload, if there are any
void log_expiry(const LogOverrides::Changed& changed);

}  // namespace relayd
