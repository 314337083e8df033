// REQUIRE states what a fuzz target promises for every input. If it is false the target aborts, and libFuzzer keeps the
// input.
#pragma once

#include <cstdio>
#include <cstdlib>

#define REQUIRE(promise)                                                                 \
  do {                                                                                   \
    if (!(promise)) {                                                                    \
      std::fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #promise); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)
