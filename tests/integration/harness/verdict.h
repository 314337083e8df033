// Whether the running test has failed so far: fixtures then show the logs of what they ran.
#pragma once

namespace harness {

bool test_has_failed();

}  // namespace harness
