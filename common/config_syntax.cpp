#include "common/config_syntax.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iterator>

#include "common/characters.h"

namespace common {
namespace {

using After = SyntaxProgress::After;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$'; }
bool is_of_word(char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '+'; }
bool is_hexadecimal(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

std::string hexadecimal(char c) {
  char text[8];
  snprintf(text, sizeof text, "0x%02X", static_cast<unsigned char>(c));
  return text;
}

std::string shortened(std::string_view text) {
  constexpr size_t kMost = 40;
  return text.size() <= kMost ? std::string(text) : std::string(text.substr(0, kMost)) + "…";
}

class Explanation {
 public:
  Explanation(std::string_view text, const SyntaxProgress& progress) : text_(text), progress_(progress) {}

  Mistake find() {
    at_ = progress_.end;
    if (skip_blanks()) return mistake_;
    if (progress_.after == After::value && !progress_.open.empty() && here() == ',') {
      comma_ = at_++;
      if (skip_blanks()) return mistake_;
    }
    if (progress_.after == After::key && here() == ':') {
      at_++;
      colon_ = true;
      if (skip_blanks()) return mistake_;
    }
    wanted_ = wanted();
    return at_ < text_.size() ? of_token() : of_end();
  }

 private:
  enum class Wanted { object, key, colon, value, separator, end };

  char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  char bracket() const { return progress_.open.empty() ? '\0' : progress_.open.back().bracket; }
  std::string closing() const { return bracket() == '{' ? "}" : "]"; }
  std::string opened() const {
    return std::string("the ") + bracket() + " in line " + std::to_string(line_of(text_, progress_.open.back().offset));
  }
  bool fails(size_t at, std::string what) {
    mistake_ = {at, std::move(what)};
    return true;
  }

  // True: there is a mistake among them.
  bool skip_blanks() {
    for (;;) {
      while (is_blank(here())) at_++;
      if (here() != '/') return false;
      const size_t begin = at_;
      const char kind = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
      if (kind == '/') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (kind == '*') {
        const size_t end = text_.find("*/", at_ + 2);
        if (end == text_.npos) return fails(begin, "the comment that begins here has no end; close it with */");
        at_ = end + 2;
      } else {
        return fails(begin, "found /; a comment begins with // or /*");
      }
    }
  }

  Wanted wanted() const {
    switch (progress_.after) {
      case After::nothing: return Wanted::object;
      case After::key: return colon_ ? Wanted::value : Wanted::colon;
      case After::open: return bracket() == '{' ? Wanted::key : Wanted::value;
      case After::value: break;
    }
    if (progress_.open.empty()) return Wanted::end;
    if (comma_ == text_.npos) return Wanted::separator;
    return bracket() == '{' ? Wanted::key : Wanted::value;
  }

  std::string expected() const {
    switch (wanted_) {
      case Wanted::object: return "an object { … }";
      case Wanted::key: return "a key in double quotes, or }";
      case Wanted::colon: return "a : after the key";
      case Wanted::value: return "a value: true, false, null, a number, a string in double quotes, [ or {";
      case Wanted::separator: return "a comma, or " + closing();
      case Wanted::end: break;
    }
    return "nothing after the end of the object";
  }

  Mistake of_end() const {
    if (progress_.open.empty()) return {text_.size(), "the file is empty; expected an object { … }"};
    return {text_.size(), "the file ends, but " + opened() + " is not closed; add " + closing()};
  }

  Mistake of_token() {
    const char c = here();
    if (wanted_ == Wanted::end)
      return {at_, "found " + token() + " after the end of the object; a file holds one object: remove the rest"};
    if (c == '}' || c == ']') return of_closing(c);
    if (c == '"') return of_string();
    if (c == '\'') return {at_, "found a single quote; write strings and keys in double quotes"};
    for (const char* quote : {"“", "”", "„", "‘", "’"})
      if (text_.substr(at_).starts_with(quote))
        return {at_, std::string("found the typographic quote ") + quote + "; write \", the straight double quote"};
    if (c == '#') return {at_, "found #, which begins no comment here; write // or /* … */"};
    if (c == ',')
      return {at_, comma_ != text_.npos ? "found a second comma; remove it"
                                        : "found a comma without a value before it; expected " + expected()};
    if (c == '=' && wanted_ == Wanted::colon) return {at_, "found =; write : between a key and its value"};
    if (is_digit(c) || c == '-' || c == '+' || c == '.') return of_number();
    if (is_letter(c)) return of_word();
    if (wanted_ == Wanted::separator && (c == '{' || c == '[')) return missing_comma();
    return {at_, "found " + token() + "; expected " + expected()};
  }

  std::string_view word_from(size_t begin) const {
    const auto rest = text_.substr(begin);
    return rest.substr(0, static_cast<size_t>(std::find_if_not(rest.begin(), rest.end(), is_of_word) - rest.begin()));
  }

  // What stands here, for a message.
  std::string token() const {
    if (is_of_word(here())) return shortened(word_from(at_));
    const Character character = first_character(text_.substr(at_));
    if (is_unsafe_to_show(character.code)) return "the character " + json_escape(character.code);
    return std::string(text_.substr(at_, character.length));
  }

  Mistake missing_comma() const { return {at_, "found " + token() + "; a comma is missing before it"}; }

  Mistake of_closing(char c) const {
    if (progress_.open.empty())
      return {at_, std::string("found ") + c + ", which closes nothing; expected " + expected()};
    if (closing()[0] != c)
      return {at_, std::string("found ") + c + ", but " + opened() + " is not closed; close it with " + closing()};
    if (comma_ != text_.npos)
      return {comma_, std::string("found a comma before the closing ") + c + "; remove the comma"};
    return {at_, std::string("found ") + c + ", but the key before it has no value; expected " + expected()};
  }

  Mistake of_string() {
    for (size_t i = at_ + 1; i < text_.size() && text_[i] != '"'; i++) {
      const char c = text_[i];
      if (c == '\n' || c == '\r')
        return {
            at_,
            "the string that begins here is not closed in its line; close it with \", or write \\n for a line break"};
      if (c == '\t') return {i, "found a tab in a string; write \\t"};
      if (static_cast<unsigned char>(c) < 0x20)
        return {i, "found the control character " + hexadecimal(c) + " in a string; write \\u00" +
                       hexadecimal(c).substr(2)};
      if (c != '\\') continue;
      if (const std::string problem = of_escape(i); !problem.empty()) return {i, problem};
      i++;
    }
    if (text_.find('"', at_ + 1) == text_.npos) return {at_, "the string that begins here is not closed; add \""};
    if (wanted_ == Wanted::separator)
      return {at_, "found " + shortened(text_.substr(at_, text_.find('"', at_ + 1) + 1 - at_)) +
                       "; a comma is missing before it"};
    return {at_, "found a string; expected " + expected()};
  }

  // Of the escape at `i`; "" if it is one.
  std::string of_escape(size_t i) const {
    const char next = i + 1 < text_.size() ? text_[i + 1] : '\0';
    if (next == 'u') {
      const auto digits = text_.substr(i + 2, 4);
      if (digits.size() < 4 || !std::all_of(digits.begin(), digits.end(), is_hexadecimal))
        return "found \\u without four hexadecimal digits after it, as in \\u00e9";
      const bool half = (digits[0] == 'd' || digits[0] == 'D') && digits[1] >= '8';
      return half ? std::string("found \\u") + std::string(digits) +
                        ", which is half of a character; write the character itself"
                  : "";
    }
    if (std::string_view("\"\\/bfnrt").find(next) != std::string_view::npos && next != '\0') return "";
    const bool shows = next > ' ' && next < 0x7F;
    return std::string("found a backslash") + (shows ? std::string(" before ") + next : "") +
           ", which is no escape in JSON; write \\\\ for a backslash";
  }

  Mistake of_number() {
    size_t begin = at_;
    if (wanted_ == Wanted::separator) {
      if (at_ != progress_.end) return missing_comma();
      while (begin > 0 && is_of_word(text_[begin - 1])) begin--;  // the parser took a part of it as a number
    }
    if (wanted_ == Wanted::key || wanted_ == Wanted::colon)
      return {at_, "found " + token() + "; expected " + expected()};
    return {begin, "found " + shortened(word_from(begin)) +
                       ", which is not a JSON number: decimal, without + or 0 in front, with digits on both sides of a "
                       "point; write such a number, or a string in double quotes"};
  }

  Mistake of_word() {
    const std::string word = shortened(word_from(at_));
    if (wanted_ == Wanted::key) return {at_, "found " + word + "; write the key in double quotes: \"" + word + "\""};
    if (wanted_ == Wanted::separator && at_ == progress_.end) {
      size_t begin = at_;
      while (begin > 0 && is_of_word(text_[begin - 1])) begin--;
      const std::string whole = shortened(word_from(begin));
      return {begin, "found " + whole + "; write a value with a unit in double quotes: \"" + whole + "\""};
    }
    if (wanted_ == Wanted::separator) return missing_comma();
    if (wanted_ != Wanted::value) return {at_, "found " + word + "; expected " + expected()};
    std::string small = word;
    std::transform(small.begin(), small.end(), small.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    for (const char* literal : {"true", "false", "null"})
      if (small == literal) return {at_, "found " + word + "; write " + literal + ", in small letters"};
    return {at_, "found " + word + "; write a string in double quotes: \"" + word +
                     "\"; without quotes are true, false, null and numbers"};
  }

  std::string_view text_;
  const SyntaxProgress& progress_;
  size_t at_ = 0, comma_ = std::string_view::npos;
  bool colon_ = false;
  Wanted wanted_ = Wanted::object;
  Mistake mistake_{};
};

}  // namespace

Mistake explain_syntax(std::string_view text, const SyntaxProgress& progress) {
  return Explanation(text, progress).find();
}

std::string why_not_text(std::string_view text, size_t& offset) {
  offset = 0;
  if (text.starts_with("\xEF\xBB\xBF")) return "found a byte order mark (EF BB BF); save the file as UTF-8 without one";
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    return "found the byte order mark of UTF-16; save the file as UTF-8";
  while (offset < text.size()) {
    if (text[offset] == '\0') return "found a NUL byte; save the file as text in UTF-8";
    const Character character = first_character(text.substr(offset));
    if (character.length == 0)
      return "found the byte " + hexadecimal(text[offset]) + ", which is not UTF-8; save the file as UTF-8";
    offset += character.length;
  }
  return "";
}

size_t line_of(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  return static_cast<size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
}

std::string position_of(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::string_view line = before.substr(before.rfind('\n') + 1);  // npos + 1 == 0: the first line
  const auto columns = std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
  return "line " + std::to_string(line_of(text, offset)) + ", column " + std::to_string(columns + 1);
}

}  // namespace common
