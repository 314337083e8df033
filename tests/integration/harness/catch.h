// Catch2 with generators, whichever major version is installed, and able to print JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "tests/unit/catch.h"

#if __has_include(<catch2/generators/catch_generators_all.hpp>)
#include <catch2/catch_tostring.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#endif

// To Catch2 every JSON value is a range, a number one of itself, without end.
template <>
struct Catch::StringMaker<nlohmann::json> {
  static std::string convert(const nlohmann::json& value) { return value.dump(); }
};
