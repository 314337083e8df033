// Explains why a text is not JSON: where, what was found, and what to write instead.
//
// The parser is nlohmann's. It says that it gave up, and this says why: it looks at the bytes after the last token that
// the parser took. Nothing is parsed twice, so both can't disagree about what is valid.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace common {

// What a parser had taken of a text when it gave up.
struct SyntaxProgress {
  enum class After { nothing, open, key, value };  // the last token; a closed object or array is a value
  struct Open {
    char bracket;  // '{' or '['
    size_t offset;
  };
  After after = After::nothing;
  size_t end = 0;  // the offset after the last token
  std::vector<Open> open;
};

struct Mistake {
  size_t offset;  // in bytes, from 0
  std::string what;
};
Mistake explain_syntax(std::string_view text, const SyntaxProgress& progress);

// "", or what is wrong with the first byte that no configuration may have, and its offset: a byte order mark, NUL, not
// UTF-8.
std::string why_not_text(std::string_view text, size_t& offset);

size_t line_of(std::string_view text, size_t offset);           // from 1
std::string position_of(std::string_view text, size_t offset);  // "line 3, column 7", in characters, from 1

}  // namespace common
