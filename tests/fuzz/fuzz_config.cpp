// The text of a configuration, and the words for what is wrong with it: a text is either the object that nlohmann's
// parser reads, with a line for each of its keys, or an error that names a place in the text.
#include <cstdint>
#include <string>

#include "common/config_error.h"
#include "common/config_syntax.h"
#include "common/config_text.h"
#include "tests/fuzz/require.h"

using nlohmann::json;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto parsed = common::parse_config_text(text, "x.json");
    REQUIRE(parsed.object == json::parse(text, nullptr, /*allow_exceptions=*/true, /*ignore_comments=*/true));
    for (const auto& [key, value] : parsed.object.items()) REQUIRE(parsed.lines.contains(key));
    for (const auto& [path, line] : parsed.lines) REQUIRE(line >= 1 && line <= common::line_of(text, text.size()));
  } catch (const common::ConfigError& error) {
    const std::string_view what = error.what();
    REQUIRE(what.starts_with("x.json: line ") && what.size() < 1000);
  }
  return 0;
}
