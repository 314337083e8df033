// The characters of a text that comes from outside, and those that must not reach a screen unescaped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace common {

struct Character {
  uint32_t code = 0;
  size_t length = 0;  // bytes; 0: the text begins with a malformed sequence
};

// The first character of a text that is not empty (RFC 3629 section 4: no overlong forms, no surrogates).
Character first_character(std::string_view text);

// C0, DEL and C1, which a terminal obeys, and characters that reorder, hide or break text without being seen: bidi,
// zero width, line separators (Unicode TR 36 section 2.5, CVE-2021-42574).
bool is_unsafe_to_show(uint32_t code);

// Its \u escape in JSON: two of them beyond U+FFFF (RFC 8259 section 7).
std::string json_escape(uint32_t code);

}  // namespace common
