// The operator's command, mqtt-relay. Only this file knows where the tests find the program.
#pragma once

#include "tests/integration/harness/process.h"
#include "tests/integration/harness/temp_dir.h"

namespace harness {

// `mqtt-relay WORDS...`, with the program of this build, or with the copy in `folder` for users without access to the
// build directory.
ProcessOptions mqtt_relay(std::vector<std::string> words, const fs::path& folder = {});

// Returns the check NAME from the output of `mqtt-relay check --json`. Throws Failure if it is missing.
Json check_named(const Finished& report, const std::string& name, const std::string& daemon = "relayd");

}  // namespace harness
