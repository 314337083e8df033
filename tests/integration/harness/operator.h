// The operator's command, mqtt-relay: the one place in the tests that knows where the program lies.
#pragma once

#include "tests/integration/harness/process.h"
#include "tests/integration/harness/temp_dir.h"

namespace harness {

// `mqtt-relay WORDS...`, by the program of this build, or by the copy in `folder`, for users that can't enter the
// build.
ProcessOptions mqtt_relay(std::vector<std::string> words, const fs::path& folder = {});

// The check NAME of what `mqtt-relay check --json` has printed. Throws Failure if there is none.
Json check_named(const Finished& report, const std::string& name, const std::string& daemon = "relayd");

}  // namespace harness
