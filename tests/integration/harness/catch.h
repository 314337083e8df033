// Catch2 with generators, whichever major version is installed.
#pragma once

#include "tests/unit/catch.h"

#if __has_include(<catch2/generators/catch_generators_all.hpp>)
#include <catch2/generators/catch_generators_all.hpp>
#endif
