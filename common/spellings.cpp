#include "common/spellings.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace common {
namespace {

constexpr int kCanonical = UTF8PROC_STABLE | UTF8PROC_COMPOSE;  // NFC

// Returns text that is not UTF-8 unchanged.
std::string mapped(std::string_view text, int options) {
  utf8proc_uint8_t* out = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &out, static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&free)> owner(out, free);
  return size < 0 ? std::string(text) : std::string(reinterpret_cast<const char*>(out), static_cast<size_t>(size));
}

// Applies `change` to each character and its index; keeps bytes that are not UTF-8.
template <typename Change>
std::string each(std::string_view text, Change change) {
  std::string out;
  for (size_t at = 0, place = 0; at < text.size(); place++) {
    utf8proc_int32_t code = 0;
    const auto* rest = reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at);
    const auto length = utf8proc_iterate(rest, static_cast<utf8proc_ssize_t>(text.size() - at), &code);
    if (length < 1) {
      out += text[at++];
      continue;
    }
    utf8proc_uint8_t bytes[4];
    const auto size = utf8proc_encode_char(change(code, place), bytes);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
    at += static_cast<size_t>(length);
  }
  return out;
}

std::string capital(std::string_view text) {
  return each(text,
              [](auto code, size_t place) { return place == 0 ? utf8proc_toupper(code) : utf8proc_tolower(code); });
}

}  // namespace

std::string composed(std::string_view text) { return mapped(text, kCanonical); }
std::string decomposed(std::string_view text) { return mapped(text, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE); }
std::string folded(std::string_view text) { return mapped(lower(text), kCanonical | UTF8PROC_CASEFOLD); }
std::string lower(std::string_view text) {
  return each(text, [](auto code, size_t) { return utf8proc_tolower(code); });
}
std::string upper(std::string_view text) {
  return each(text, [](auto code, size_t) { return utf8proc_toupper(code); });
}

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
