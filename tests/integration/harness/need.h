// Tests that need root say so and stop when another user runs them; ctest labels them "root".
#pragma once

#include <unistd.h>

#include "tests/integration/harness/catch.h"

#include "tests/integration/harness/deadline.h"

#define NEEDS_NO_SANITIZER()                                                       \
  do {                                                                             \
    if (harness::under_sanitizer) {                                                \
      WARN("SKIPPED: this test looks at memory, and this build is a sanitizer's"); \
      return;                                                                      \
    }                                                                              \
  } while (false)

#define NEEDS_ROOT()                                      \
  do {                                                    \
    if (geteuid() != 0) {                                 \
      WARN("SKIPPED: this test can only be run as root"); \
      return;                                             \
    }                                                     \
  } while (false)
