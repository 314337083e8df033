#include "common/spellings.h"

#include <algorithm>
#include <cstdint>

#include "common/compositions.h"

namespace common {
namespace {

using Text = std::u32string;

constexpr char32_t kNotUtf8 = 0x110000;  // and the byte: what is no UTF-8 is kept as it is

Text decode(std::string_view text) {
  Text out;
  for (size_t at = 0; at < text.size();) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
    const size_t length = byte(0) < 0x80 ? 1 : byte(0) < 0xc2 ? 0 : byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
    bool good = length > 0 && at + length <= text.size();
    char32_t code = length == 1 ? byte(0) : byte(0) & (0xffu >> (length + 1));
    for (size_t i = 1; good && i < length; i++) {
      good = (byte(i) & 0xc0) == 0x80;
      code = code << 6 | (byte(i) & 0x3fu);
    }
    out += good && code < kNotUtf8 ? code : kNotUtf8 + byte(0);
    at += good && code < kNotUtf8 ? length : 1;
  }
  return out;
}

std::string encode(const Text& text) {
  std::string out;
  for (const char32_t code : text) {
    const auto put = [&](char32_t byte) { out += static_cast<char>(static_cast<uint8_t>(byte)); };
    if (code >= kNotUtf8) {
      put(code - kNotUtf8);
    } else if (code < 0x80) {
      put(code);
    } else {
      const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
      put((0xf0u << (3 - more) & 0xffu) | code >> (6 * more));
      for (int i = more - 1; i >= 0; i--) put(0x80u | (code >> (6 * i) & 0x3fu));
    }
  }
  return out;
}

// ---- forms (UAX #15; Hangul: the Unicode standard, section 3.12)
// -----------------------------------------------------

constexpr char32_t kS = 0xac00, kL = 0x1100, kV = 0x1161, kT = 0x11a7;
constexpr char32_t kLs = 19, kVs = 21, kTs = 28;

char32_t compose(char32_t first, char32_t second) {
  if (first - kL < kLs && second - kV < kVs) return kS + ((first - kL) * kVs + second - kV) * kTs;
  if (first - kS < kLs * kVs * kTs && (first - kS) % kTs == 0 && second - kT - 1 < kTs - 1) return first + second - kT;
  if (second < 0x300) return 0;  // no mark, as most characters
  for (const Composition& pair : kCompositions)
    if (pair.first == first && pair.second == second) return pair.composed;
  return 0;
}

void append_decomposed(Text& out, char32_t code) {
  if (code - kS < kLs * kVs * kTs) {
    const char32_t index = code - kS;
    (out += kL + index / (kVs * kTs)) += kV + index % (kVs * kTs) / kTs;
    if (index % kTs != 0) out += kT + index % kTs;
    return;
  }
  const auto* pair = std::ranges::lower_bound(kCompositions, code, {}, &Composition::composed);
  if (pair == std::end(kCompositions) || pair->composed != code) {
    out += code;
  } else {
    append_decomposed(out, pair->first);
    out += pair->second;
  }
}

Text decomposed(const Text& text) {
  Text out;
  for (const char32_t code : text) append_decomposed(out, code);
  return out;
}

Text composed(const Text& text) {
  Text out;
  for (const char32_t code : decomposed(text)) {
    const char32_t both = out.empty() ? 0 : compose(out.back(), code);
    if (both != 0) out.back() = both;
    else out += code;
  }
  return out;
}

// ---- case
// ------------------------------------------------------------------------------------------------------------

bool in(char32_t code, char32_t first, char32_t last) { return code >= first && code <= last; }

// Where capital and small letters stand in turn: whether the capital is the even one.
bool alternates(char32_t code, bool& even) {
  even = in(code, 0x100, 0x137) || in(code, 0x14a, 0x177) || in(code, 0x460, 0x481) || in(code, 0x48a, 0x4bf) ||
         in(code, 0x4d0, 0x52f) || in(code, 0x1e00, 0x1e95) || in(code, 0x1ea0, 0x1eff);
  return even || in(code, 0x139, 0x148) || in(code, 0x179, 0x17e);
}

char32_t lower(char32_t code) {
  if (in(code, 'A', 'Z') || (in(code, 0xc0, 0xde) && code != 0xd7)) return code + 0x20;
  if (in(code, 0x391, 0x3a9) || in(code, 0x410, 0x42f)) return code + 0x20;
  if (in(code, 0x400, 0x40f)) return code + 0x50;
  if (code == 0x130 || code == 0x131) return code;  // the Turkish i: no pair
  bool even = false;
  return alternates(code, even) && (code % 2 == 0) == even ? code + 1 : code;
}

char32_t upper(char32_t code) {
  if (in(code, 'a', 'z') || (in(code, 0xe0, 0xfe) && code != 0xf7)) return code - 0x20;
  if ((in(code, 0x3b1, 0x3c9) && code != 0x3c2) || in(code, 0x430, 0x44f)) return code - 0x20;
  if (in(code, 0x450, 0x45f)) return code - 0x50;
  if (code == 0x130 || code == 0x131) return code;
  bool even = false;
  return alternates(code, even) && (code % 2 == 0) != even ? code - 1 : code;
}

template <char32_t (*change)(char32_t)>
std::string each(std::string_view text) {
  Text out = decode(text);
  for (char32_t& code : out) code = change(code);
  return encode(out);
}

std::string capital(std::string_view text) {
  Text out = decode(text);
  for (size_t i = 0; i < out.size(); i++) out[i] = i == 0 ? upper(out[i]) : lower(out[i]);
  return encode(out);
}

}  // namespace

std::string composed(std::string_view text) { return encode(composed(decode(text))); }
std::string decomposed(std::string_view text) { return encode(decomposed(decode(text))); }
std::string lower(std::string_view text) { return each<lower>(text); }
std::string upper(std::string_view text) { return each<upper>(text); }

const char* why_no_file_name(std::string_view client_id) {
  constexpr size_t kMostBytes = 251;  // NAME_MAX without ".pem"
  const auto is_control = [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; };
  if (client_id.empty()) return "it is empty";
  if (client_id.size() > kMostBytes) return "it has more than 251 bytes";
  if (client_id.find('/') != client_id.npos) return "it has a /";
  if (client_id == "." || client_id == "..") return "it is the name of a directory";
  if (std::ranges::any_of(client_id, is_control)) return "it has control characters";
  return "";
}

std::vector<std::string> other_spellings(std::string_view name) {
  std::vector<std::string> all;
  const auto add = [&](std::string spelling) {
    if (spelling != name && std::ranges::find(all, spelling) == all.end()) all.push_back(std::move(spelling));
  };
  add(lower(name));
  add(upper(name));
  add(capital(name));
  if (std::ranges::all_of(name, [](char c) { return static_cast<uint8_t>(c) < 0x80; })) return all;
  for (std::string form : {composed(name), decomposed(name)}) {
    add(lower(form));
    add(std::move(form));
  }
  return all;
}

}  // namespace common
