// What can't be had now and can be had later without a change of the configuration: an address that is not up yet, a
// port that another program still holds, a folder that is not there yet, descriptors. It is waited for in the process,
// said once when it begins and once when it is over; exit status 78 is for what only the operator can mend.
#pragma once

#include <chrono>
#include <string>

#include "common/config.h"

namespace common {

// Who does not wait, as a reload or `check`, reports it as any other error.
class NotYet : public ConfigError {
  using ConfigError::ConfigError;
};

// Whether a socket call that failed with it may succeed later, all else unchanged.
bool passes(int error);

// One thing that is waited for.
class Wait {
 public:
  // How long to wait before the next try: 100 ms, doubling to 5 s. Logs a cause that is new.
  std::chrono::milliseconds failed(const std::string& cause);
  void worked();                                       // says so, if it had failed
  const std::string& cause() const { return cause_; }  // "": nothing is waited for

 private:
  std::string cause_;
  std::chrono::milliseconds next_{100};
};

// For a start, where there is no loop yet: tells the service manager what is waited for, and that the start takes
// longer.
void sleep_and_tell(std::chrono::milliseconds time, const std::string& cause);

// `make`'s result, as soon as it throws no NotYet.
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
