// Whether the running test has failed so far. If so, fixtures show the logs of the programs that they ran.
#pragma once

namespace harness {

bool test_has_failed();

}  // namespace harness
