// Says when the files that relayd has read have changed, for reload_on_change.
//
// Looks at them (stat(2): device, inode, size, time of change) whenever it is asked, once a second. inotify would need
// more system calls in the sandbox, and sees nothing of what other hosts change on a network file system.
// A renewal writes several files, so a change counts once all of them have been still for kStill.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/units.h"

namespace relayd {

class ChangeWatch {
 public:
  static constexpr common::Milliseconds kStill{2000};

  // Call before the files are read: what changes from now on is a change.
  void about_to_read();
  // These have been read. One that is missing may appear.
  void have_read(const std::vector<std::string>& files);
  // The files that have changed since they were read, separated by commas; "": none, or not still enough. Each change
  // is reported once, whatever the caller makes of it.
  std::string changed(uint64_t now_ms);

 private:
  struct State {
    uint64_t device = 0, inode = 0, size = 0;  // all 0: there is no file
    int64_t changed_ns = 0;
    bool operator==(const State&) const = default;
  };
  using States = std::map<std::string, State>;
  static State state_of(const std::string& file);

  States read_, last_;  // when they were read; at the last look
  uint64_t still_since_ms_ = 0;
};

}  // namespace relayd
