// Catch2 with generators, for whichever major version is installed, with JSON values printable.
#pragma once

#include <nlohmann/json.hpp>

#include "tests/unit/catch.h"

#if __has_include(<catch2/generators/catch_generators_all.hpp>)
#include <catch2/catch_tostring.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#endif

// Catch2 treats every JSON value as a range, and a number as a range of itself, without end.
template <>
struct Catch::StringMaker<nlohmann::json> {
  static std::string convert(const nlohmann::json& value) { return value.dump(); }
};
