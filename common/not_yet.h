// Waiting for something that may appear without a change of the configuration: an address that is not up yet, a port
// that another program still holds, a directory that does not exist yet, free descriptors. The process waits, and logs
// once when the wait begins and once when it ends. Exit status 78 is for mistakes that only the operator can fix.
#pragma once

#include <chrono>
#include <string>

#include "common/config.h"

namespace common {

// A caller that does not wait, such as a reload or `check`, reports it like any other error.
class NotYet : public ConfigError {
  using ConfigError::ConfigError;
};

// True if a socket call that failed with `error` may succeed later with the same arguments.
bool passes(int error);

// One wait, with its retries.
class Wait {
 public:
  // Returns the time until the next try: 100 ms, doubling to 5 s. Logs a new cause.
  std::chrono::milliseconds failed(const std::string& cause);
  void worked();                                       // logs success, if a try had failed
  const std::string& cause() const { return cause_; }  // "": not waiting

 private:
  std::string cause_;
  std::chrono::milliseconds next_{100};
};

// For start-up, before there is a loop: sleeps for `time`, after telling the service manager the cause and that the
// start takes longer.
void sleep_and_tell(std::chrono::milliseconds time, const std::string& cause);

// Calls `make` until it does not throw NotYet; returns its result.
template <typename Make>
auto wait_for(Make make) {
  Wait wait;
  for (;;) {
    try {
      auto made = make();
      wait.worked();
      return made;
    } catch (const NotYet& error) {
      sleep_and_tell(wait.failed(error.what()), error.what());
    }
  }
}

}  // namespace common
